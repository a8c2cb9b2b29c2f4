#!/usr/bin/env python3
"""What long commands show on a terminal while they work, and nowhere else. Usage: terminal.py path/to/xip"""
import fcntl
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


def start(command, stream, terminal):
    """COMMAND as a process, and where what it says on STREAM can be read: a terminal or a pipe."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: theirs}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, []), **streams)
    os.close(theirs)
    return process, ours


def finish(process, ours):
    """Its exit code, and all it says to its end."""
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


def run(command, stream, terminal):
    return finish(*start(command, stream, terminal))


def left(output):
    """What stays on the terminal: of each line what comes after the last erasure."""
    return "\n".join(line.split(erase)[-1] for line in output.split("\n"))


class held_copy:
    """A copy that stops at its second source: a lease on that file keeps whoever opens it waiting, and tells us (SIGIO) that somebody does."""

    def __init__(self, directory, terminal):
        self.terminal = terminal
        self.image, self.missing = os.path.join(directory, "disk.img"), os.path.join(directory, "missing")
        self.sources = [os.path.join(directory, f"source-{i}") for i in range(3)]
        with open(self.image, "wb") as f:
            f.truncate(16 << 20)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", self.image], check=True)
        for source in self.sources:
            with open(source, "wb") as f:
                f.write(b"data" * (64 << 10))
        self.lease = os.open(self.sources[1], os.O_RDONLY)
        fcntl.fcntl(self.lease, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        began = time.monotonic()
        self.process, self.ours = start([xip, "cp", *self.sources, self.missing, f"{self.image}:/"], "stderr", terminal)
        expect("cp: comes to its second source", signal.sigtimedwait({signal.SIGIO}, 60) is not None, "")
        self.since = time.monotonic()
        self.quick = self.since - began < 0.9  # the first source took less than the second in which a copy is silent

    def long_enough(self):
        """A copy reports after its first second."""
        return time.monotonic() - self.since > 1.1

    def judge(self):
        expect("cp: waits where it is held", self.process.poll() is None, "")
        fcntl.fcntl(self.lease, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        code, output = finish(self.process, self.ours)
        os.close(self.lease)
        expect("cp: a missing source is an error", code == 1, output)
        expect("cp: the error alone stays", left(output) == f"xip cp: {self.missing}: No such file or directory\n", output)
        if self.terminal:
            expect("cp: shows bytes and the file", f"{erase}{'512K':>6} {self.sources[1]}"[:70] in output, output)
            expect("cp: not what it copied at once", f" {self.sources[0]}" not in output or not self.quick, output)
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


signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
with tempfile.TemporaryDirectory() as for_terminal, tempfile.TemporaryDirectory() as for_pipe:
    copies = [held_copy(for_terminal, True), held_copy(for_pipe, False)]
    # The copies grow slow while something else is looked at. Not for long: the host breaks a lease after a while (/proc/sys/fs/lease-break-time).
    check()
    while not all(copy.long_enough() for copy in copies):
        check()
    for copy in copies:
        copy.judge()
explore()
interrupt_exploration()
sys.exit(1 if failures else 0)
