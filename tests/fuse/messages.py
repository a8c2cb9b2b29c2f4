#!/usr/bin/env python3
"""Meets damage through a mount, and looks for what its server says of that.

    messages.py foreground|background XIP-FUSE IMAGE DIRECTORY

In IMAGE "victim" has no tree of extents, and "sound" is a text. 77: /dev/log is not ours to be."""
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

SYSTEM_LOG = "/dev/log"
where, program, image, directory = sys.argv[1:]
wrong = []


def check(what, truth):
    if not truth:
        wrong.append(what)
        print("wrong:", what, file=sys.stderr)


def meet_damage():
    try:
        with open(os.path.join(directory, "victim"), "rb") as f:
            f.read()
    except OSError as e:
        check(f"the damaged file: {errno.errorcode.get(e.errno)} in place of EUCLEAN", e.errno == errno.EUCLEAN)
    else:
        check("the damaged file was read", False)
    with open(os.path.join(directory, "sound"), "rb") as f:
        check("the sound file", f.read() == b"text\n")


def unmount():
    """And waits for the server's end."""
    for _ in range(500):  # something of the host that looks into every mount may be in this one for a moment
        if subprocess.run(["umount", directory], stderr=subprocess.DEVNULL).returncode == 0:
            break
    else:
        sys.exit(f"{directory} cannot be unmounted")
    with open(image, "rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)


def mount(*options, **more):
    return subprocess.Popen([program, *options, "-o", "noatime,errors=remount-ro", image, directory], stderr=subprocess.PIPE, **more)


def said_in_foreground():
    server = mount("-f")
    while not os.path.ismount(directory):
        if server.poll() is not None:
            sys.exit("the server has not begun: " + server.stderr.read().decode())
    meet_damage()
    unmount()
    return server.communicate()[1].decode().splitlines()


def told_to(log):
    log.setblocking(False)
    while True:
        try:
            yield log.recv(65536).decode().rstrip("\0\n")
        except BlockingIOError:
            return


def said_in_background():
    if os.path.lexists(SYSTEM_LOG):
        sys.exit(77)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        try:
            log.bind(SYSTEM_LOG)
        except OSError:
            sys.exit(77)
        try:
            starter = mount()
            said = starter.communicate()[1]  # whoever stays in the background has let go of it
            check(f"the mount: {said.decode()}", starter.returncode == 0 and said == b"")
            meet_damage()
            unmount()
        finally:
            os.unlink(SYSTEM_LOG)
        return [line for line in told_to(log) if image in line]  # others may have had something to say, too


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing stays at SYSTEM_LOG
if where == "foreground":
    lines, begins = said_in_foreground(), "xip-fuse: "
else:
    lines, begins = said_in_background(), f"<{(3 << 3) + 3}>"  # LOG_DAEMON, LOG_ERR
for what in ("extent root: magic 0x0", "read-only from now on"):
    found = [line for line in lines if what in line]
    check(f"'{what}' is said", found)
    check(f"'{what}' with the image's name, as it ought to begin: {found}", all(image in line and line.startswith(begins) for line in found))
if where == "background":
    check("whose message it is", all(" xip-fuse[" in line for line in lines))
if wrong:
    print("said:", *lines, sep="\n    ", file=sys.stderr)
sys.exit(1 if wrong else 0)
