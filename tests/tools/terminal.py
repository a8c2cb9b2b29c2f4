#!/usr/bin/env python3
"""What long commands show on a terminal while they work, and nowhere else. Usage: terminal.py path/to/xip"""
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time

xip = os.path.realpath(sys.argv[1])
erase = "\r\x1b[K"
failures = 0


def expect(what, holds, output):
    global failures
    if not holds:
        failures += 1
        print(f"FAILED: {what}\n    {output[-800:]!r}")


def run(command, stream, terminal, meddle=lambda process: None):
    """COMMAND's exit code, and what it says on STREAM: a terminal or a pipe. MEDDLE gets the process at its beginning."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **streams)
    os.close(theirs)
    meddle(process)
    output = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how the end of a terminal shows
            break
        if not piece:
            break
        output += piece
    os.close(ours)
    return process.wait(), output.decode().replace("\r\n", "\n")


def left(output):
    """What stays on the terminal: of each line what comes after the last erasure."""
    return "\n".join(line.split(erase)[-1] for line in output.split("\n"))


def pause_while_copying(process):
    """Lets more than the second go by after which a copy begins to report: stops the process once it has read some of its sources."""
    def read_by_now():
        with open(f"/proc/{process.pid}/io") as counts:
            return int(counts.readline().split()[1])
    try:
        while process.poll() is None and read_by_now() < 12 << 20:
            pass
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.1)
        process.send_signal(signal.SIGCONT)
    except (OSError, ValueError):
        pass


def copy(scratch):
    image = os.path.join(scratch, "disk.img")
    with open(image, "wb") as f:
        f.truncate(512 << 20)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", image], check=True)
    with open(os.path.join(scratch, "data"), "wb") as f:
        f.write(b"data" * (4 << 20))
    sources = [os.path.join(scratch, f"source-{i}") for i in range(16)]
    for source in sources:
        os.symlink("data", source)
    missing = os.path.join(scratch, "missing")
    for terminal in (True, False):
        for _ in range(5):  # the copy may be over before it could be stopped
            code, output = run([xip, "cp", *sources, missing, f"{image}:/"], "stderr", terminal, pause_while_copying)
            if erase in output or not terminal:
                break
        expect("cp: a missing source is an error", code == 1, output)
        expect("cp: the error alone stays", left(output) == f"xip cp: {missing}: No such file or directory\n", output)
        if terminal:
            expect("cp: shows bytes and the file", re.search(re.escape(erase) + r" *[0-9.]+M .{1,60}(\r|$)", output), output)
            expect("cp: of the files it copies", any(f" {source}"[:61] in output for source in sources), output)
        else:
            expect("cp: nothing for a pipe", "\r" not in output and "\x1b" not in output, output)


def check():
    command = [xip, "check", "generic/001", "generic/002", "--device", "memory", "-j", "1"]
    code, output = run(command, "stdout", True)
    seconds = re.compile(r" [0-9.]+s$", re.M)
    expect("check: passes", code == 0, output)
    expect("check: shows the first", f"{erase}[0/2] generic/001 [memory]" in output, output)
    expect("check: counts on", f"{erase}[1/2] generic/002 [memory]" in output, output)
    code, plain = run(command, "stdout", False)
    expect("check: nothing for a pipe", code == 0 and "\r" not in plain and "\x1b" not in plain, plain)
    expect("check: the same stays", seconds.sub("", left(output)) == seconds.sub("", plain), output)
    code, output = run([*command, "--json"], "stdout", True)
    expect("check: nothing amid JSON", code == 0 and "\x1b" not in output, output)


def explore():
    command = [xip, "explore", "race/023", "race/039", "--strategy", "random", "--schedules", "20000"]
    numbers = re.compile(r"[0-9.]+s|[0-9]+/s")
    code, output = run(command, "stdout", True)
    expect("explore: passes", code == 0, output)
    expect("explore: shows how far it is", re.search(re.escape(erase) + r"\[1/2\] race/023 random: \d+ schedules, \d+/s, \d+ point pairs", output), output)
    code, plain = run(command, "stdout", False)
    expect("explore: nothing for a pipe", code == 0 and "\r" not in plain and "\x1b" not in plain, plain)
    expect("explore: the same stays", numbers.sub("", left(output)) == numbers.sub("", plain), output + plain)


def interrupt_exploration():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([xip, "explore", "race/023", "--budget", "600", "--strategy", "random"], stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    output = b""
    sent = False
    try:
        while True:
            output += os.read(ours, 65536)
            if erase.encode() in output and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
    except OSError:  # how the end of a terminal shows
        pass
    os.close(ours)
    text = output.decode()
    expect("explore: a signal ends it", process.wait() == 128 + signal.SIGINT, text)
    expect("explore: and what there is is told", "interrupted by SIGINT: 1 race passed, 0 failed; " in text, text)


with tempfile.TemporaryDirectory() as directory:
    copy(directory)
check()
explore()
interrupt_exploration()
sys.exit(1 if failures else 0)
