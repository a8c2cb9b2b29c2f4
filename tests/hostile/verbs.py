#!/usr/bin/env python3
"""The verbs of the command that take an image, on every hostile image.

    verbs.py XIP HOSTILE-IMAGES [--limit-memory] [--every N]

Each must end with an exit code of its own, not by a signal; a refused image must be named with the reason and stay as it was. Prints what the slowest
and the largest took. With --limit-memory no verb gets more than 256 MiB, and with --every only each Nth image is tried.
"""
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

MEMORY = 256 << 20
HANGS_AFTER = 120  # seconds: not a limit of speed, but of patience
COPY = 64 << 20  # what is copied out of images of a few MiB
OUTPUT = 1 << 20  # of a file that says it is huge more is not wanted
READING = [["ls", "-lR", "{image}:/"], ["ls", "-a", "{image}:/names"], ["cat", "{image}:/hello"], ["cat", "{image}:/many"],
           ["stat", "{image}:/", "{image}:/hello", "{image}:/dir/f1", "{image}:/slow"],
           ["getfattr", "{image}:/hello", "{image}:/dir", "{image}:/names", "{image}:/slow"],
           ["map", "{image}:/hello", "{image}:/dir/f2", "{image}:/many"],
           # Not of /hello: it touches each page, and one image says that there are four billions.
           ["map", "--faults", "{image}:/dir/f2", "{image}:/holes", "{image}:/many"], ["df", "{image}"], ["df", "-i", "{image}"],
           ["cp", "-r", "{image}:/", "{out}"]]
WRITING = [["setfattr", "-n", "user.made", "-v", "x" * 300, "{image}:/hello"], ["setfattr", "-x", "user.made", "{image}:/hello"],
           ["mkdir", "{image}:/made"], ["cp", "-r", "{tree}", "{image}:/copied"], ["truncate", "-s", "100K", "{image}:/hello"],
           ["fallocate", "-p", "-o", "500", "-l", "1K", "{image}:/dir/f2"], ["fallocate", "-z", "-o", "1K", "-l", "6000", "{image}:/holes"],
           ["fallocate", "-c", "-o", "4K", "-l", "4K", "{image}:/holes"], ["fallocate", "-i", "-o", "4K", "-l", "8K", "{image}:/holes"],
           ["fallocate", "-c", "-o", "8K", "-l", "4K", "{image}:/many"], ["fallocate", "-i", "-o", "4K", "-l", "4K", "{image}:/many"],
           ["truncate", "-s", "0", "{image}:/dir/f2"], ["fallocate", "-l", "20K", "{image}:/hello"], ["rm", "-r", "{image}:/dir"],
           ["rm", "-r", "{image}:/names", "{image}:/hello", "{image}:/holes"]]
CHECK = ["check", "--image", "{image}", "--device", "memory", "generic/001"]


def run(command, limit_memory):
    """Exit status, what was said, processor seconds, KiB."""
    def limits():
        if limit_memory:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=limits)
    patience = threading.Timer(HANGS_AFTER, child.kill)
    patience.start()
    said = child.stdout.read(OUTPUT)
    child.stdout.close()
    _, status, used = os.wait4(child.pid, 0)
    patience.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode, said, used.ru_utime + used.ru_stime, used.ru_maxrss


class Trial:
    def __init__(self, xip, limit_memory, scratch):
        self.xip, self.limit_memory, self.scratch = xip, limit_memory, scratch
        self.problems, self.runs, self.slowest, self.largest = [], 0, (0.0, ""), (0, "")
        self.tree = f"{scratch}/tree"
        os.makedirs(f"{self.tree}/below")
        for name in ("a", "below/b"):
            with open(f"{self.tree}/{name}", "wb") as f:
                f.write(b"t" * 5000)

    def try_verb(self, words, image, refused):
        out = f"{self.scratch}/out"
        shutil.rmtree(out, ignore_errors=True)
        command = [self.xip] + [w.format(image=image, out=out, tree=self.tree) for w in words]
        code, said, seconds, kib = run(command, self.limit_memory)
        copied = sum(os.lstat(f"{at}/{name}").st_blocks * 512 for at, _, names in os.walk(out) for name in names)
        what = f"{os.path.basename(image)}: {' '.join(words)}"
        self.runs += 1
        self.slowest, self.largest = max(self.slowest, (seconds, what)), max(self.largest, (kib, what))
        if copied > COPY:
            self.problems.append(f"{what}: copied {copied >> 20} MiB")
        cut_short = code == -signal.SIGPIPE and len(said) == OUTPUT
        if code not in (0, 1) and not (code == 3 and words[0] == "check") and not cut_short:
            self.problems.append(f"{what}: ended with {code}\n{said[-2000:].decode(errors='replace')}")
        # What maps says first that it cannot, where the blocks are too small.
        reasons = [refused.encode()] + ([b"dax=always"] if "--faults" in words else [])
        if refused and words[0] != "check" and (code != 1 or image.encode() not in said or not any(reason in said for reason in reasons)):
            self.problems.append(f"{what}: exit {code}, and not '{refused}': {said[-500:].decode(errors='replace')}")

    def try_mount(self, image, refused):
        """The server is asked for everything, and to change something; it goes when it is told to, whatever it met."""
        place = f"{self.scratch}/mnt"
        os.makedirs(place, exist_ok=True)
        what = f"{os.path.basename(image)}: mount"
        code, said, _, _ = run([self.xip, "mount", image, place], self.limit_memory)
        self.runs += 1
        if refused and (code != 1 or refused.encode() not in said):
            self.problems.append(f"{what}: exit {code}, and not '{refused}': {said[-500:].decode(errors='replace')}")
        if code not in (0, 1):
            self.problems.append(f"{what}: ended with {code}\n{said[-2000:].decode(errors='replace')}")
        if code != 0:
            return
        subprocess.run(["sh", "-c", 'ls -lR "$1"; head -c 1M "$1/hello" "$1/many"; mkdir "$1/mounted"; echo x >>"$1/hello"; rm -rf "$1/dir"', "sh", place],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=HANGS_AFTER)
        if not any(line.split()[1] == place for line in open("/proc/mounts", encoding="utf-8")):
            self.problems.append(f"{what}: the server is gone")
        elif subprocess.run(["sh", "-c", 'for n in 1 2 3 4 5 6 7 8 9; do umount "$1" && exit; done 2>/dev/null; umount -l "$1"', "sh", place],
                            check=False).returncode != 0:
            self.problems.append(f"{what}: cannot be unmounted")
        subprocess.run(["flock", image, "true"], timeout=HANGS_AFTER, check=True)

    def try_image(self, image, refused):
        with open(image, "rb") as f:
            before = f.read()
        for words in READING + [CHECK]:
            self.try_verb(words, image, refused)
        with open(image, "rb") as f:
            if f.read() != before:
                self.problems.append(f"{os.path.basename(image)}: a verb that reads has changed it")
        if os.geteuid() == 0 and os.access("/dev/fuse", os.R_OK | os.W_OK):
            copy = f"{self.scratch}/mounted.img"
            shutil.copyfile(image, copy)
            self.try_mount(copy, refused)
        for words in WRITING:
            self.try_verb(words, image, refused)
        with open(image, "rb") as f:
            if refused and f.read() != before:
                self.problems.append(f"{os.path.basename(image)}: it was refused, and changed")


def main(xip, tool, *options):
    every = int(options[options.index("--every") + 1]) if "--every" in options else 1
    with tempfile.TemporaryDirectory() as scratch:
        images = f"{scratch}/images"
        os.mkdir(images)
        table = subprocess.run([tool, images], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()
        trial = Trial(xip, "--limit-memory" in options, scratch)
        for line in table[::every]:
            name, refused = line.split("\t")
            trial.try_image(f"{images}/{name}", refused)
    print("\n".join(trial.problems))
    print(f"{trial.runs} runs on {len(table[::every])} images, {len(trial.problems)} problems")
    print(f"slowest: {trial.slowest[0] * 1000:.0f} ms of processor time: {trial.slowest[1]}")
    print(f"largest: {trial.largest[0]} KiB: {trial.largest[1]}")
    return 1 if trial.problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
