#!/usr/bin/env python3
"""Runs `xip check` and lets no scenario be left out unnoticed.

    run_all.py [--may-skip WHY]... COMMAND...

Exit 1 when a scenario was not run for another reason than those; 77 when that happens to somebody who is not root, who may lack what it needs.
Otherwise the exit code of COMMAND.
"""
import os
import re
import subprocess
import sys

NOT_RUN = re.compile(r"^(\S+ \[\w+\]) \[not run\] (.*)$")


def main(arguments):
    may_skip = []
    while arguments[:1] == ["--may-skip"]:
        may_skip.append(arguments[1])
        arguments = arguments[2:]
    left_out = []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, errors="replace") as run:
        for line in run.stdout:
            print(line, end="", flush=True)
            match = NOT_RUN.match(line)
            if match and match.group(2) not in may_skip:
                left_out.append(match.group(1))
    if run.returncode != 0 or not left_out:
        return run.returncode
    print(f"left out, and should not be: {', '.join(left_out)}")
    return 1 if os.geteuid() == 0 else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
