#!/usr/bin/env python3
"""Six processes make STEPS calls each, by chance, on the same names of DIRECTORY; two more cut and write a file that the others read. Every word of that file
says where it belongs. Usage: parallel.py DIRECTORY STEPS"""
import errno
import os
import random
import struct
import sys

top, steps = sys.argv[1], int(sys.argv[2])
ALLOWED = {errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.ENODATA, errno.ELOOP, errno.EPERM, errno.ESTALE}
WORDS = 64 * 1024 // 8


def block(number):
    return b"".join(struct.pack("<Q", (number << 32) + i + 1) for i in range(WORDS))


def names(chance):
    d = os.path.join(top, "d%d" % chance.randrange(3))
    return os.path.join(d, "n%d" % chance.randrange(12))


def call(chance):
    a, b = names(chance), names(chance)
    kind = chance.randrange(12)
    if kind == 0:
        os.close(os.open(a, os.O_RDWR | os.O_CREAT, 0o644))
    elif kind == 1:
        os.unlink(a)
    elif kind == 2:
        os.rename(a, b)
    elif kind == 3:
        os.link(a, b)
    elif kind == 4:
        os.mkdir(a)
    elif kind == 5:
        os.rmdir(a)
    elif kind == 6:
        os.symlink(b, a)
    elif kind == 7:
        [os.lstat(os.path.join(os.path.dirname(a), n)) for n in os.listdir(os.path.dirname(a))]
    elif kind == 8:
        with open(a, "r+b") as f:
            f.write(os.urandom(chance.randrange(100_000)))
            os.fsync(f.fileno())
    elif kind == 9:
        with open(a, "rb") as f:
            f.read()
    elif kind == 10:
        os.truncate(a, chance.randrange(200_000))
    else:
        os.setxattr(a, "user.x", os.urandom(chance.randrange(200)), follow_symlinks=False)


def user(seed):
    chance = random.Random(seed)
    fd = os.open(os.path.join(top, "shared"), os.O_RDONLY)
    for _ in range(steps):
        try:
            call(chance)
        except OSError as e:
            if e.errno not in ALLOWED:
                raise
        number = chance.randrange(16)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        data = os.pread(fd, 64 * 1024, number * 64 * 1024)
        for i, (word,) in enumerate(struct.iter_unpack("<Q", data[: len(data) // 8 * 8])):
            if word not in (0, (number << 32) + i + 1):
                raise AssertionError(f"word {i} of block {number} is {word:#x}")


def writer(seed):
    chance = random.Random(seed)
    fd = os.open(os.path.join(top, "shared"), os.O_RDWR)
    for _ in range(steps):
        number = chance.randrange(16)
        if chance.randrange(3) == 0:
            os.ftruncate(fd, chance.randrange(16 * 64 * 1024) // 8 * 8)
        else:
            os.pwrite(fd, block(number), number * 64 * 1024)


for d in range(3):
    os.makedirs(os.path.join(top, f"d{d}"), exist_ok=True)
open(os.path.join(top, "shared"), "wb").close()
children = []
for n in range(8):
    child = os.fork()
    if child == 0:
        try:
            (user if n < 6 else writer)(n)
            os._exit(0)
        except BaseException as e:
            print("process", n, repr(e), file=sys.stderr, flush=True)
            os._exit(1)
    children.append(child)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
