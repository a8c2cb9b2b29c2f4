#!/usr/bin/env python3
"""Calls on a mounted directory, each with the answer that Linux gives. Usage: operations.py DIRECTORY"""
import ctypes
import errno
import fcntl
import mmap
import os
import stat
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
top = sys.argv[1]
wrong = []


def check(what, truth):
    if not truth:
        wrong.append(what)
        print("wrong:", what, file=sys.stderr)


def refused(what, number, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except OSError as e:
        check(f"{what}: {errno.errorcode.get(e.errno)} in place of {errno.errorcode[number]}", e.errno == number)
    else:
        check(f"{what} succeeded", False)


def at(*names):
    return os.path.join(top, *names)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def names():
    os.mkdir(at("d"), 0o750)
    check("mode of a new directory", stat.S_IMODE(os.stat(at("d")).st_mode) == 0o750)
    check("links of the root", os.stat(top).st_nlink == 4)
    refused("mkdir twice", errno.EEXIST, os.mkdir, at("d"))
    write(at("d/a"), b"one")
    os.link(at("d/a"), at("d/b"))
    check("links of a file", os.stat(at("d/a")).st_nlink == 2 and os.path.samefile(at("d/a"), at("d/b")))
    os.symlink("a", at("d/short"))
    os.symlink("x" * 500, at("d/long"))
    check("symlinks", os.readlink(at("d/short")) == "a" and os.readlink(at("d/long")) == "x" * 500 and read(at("d/short")) == b"one")
    os.mkfifo(at("d/fifo"), 0o600)
    check("a fifo", stat.S_ISFIFO(os.stat(at("d/fifo")).st_mode))
    if os.getuid() == 0:
        os.mknod(at("d/null"), stat.S_IFCHR | 0o600, os.makedev(1, 3))
        check("a device", os.stat(at("d/null")).st_rdev == os.makedev(1, 3))
    os.rename(at("d/b"), at("d/c"))
    refused("the old name", errno.ENOENT, os.stat, at("d/b"))
    os.mkdir(at("e"))
    os.rename(at("e"), at("d/e"))
    refused("a directory into itself", errno.EINVAL, os.rename, at("d"), at("d/e/d"))
    refused("rmdir of a full one", errno.ENOTEMPTY, os.rmdir, at("d"))
    refused("unlink of a directory", errno.EISDIR, os.unlink, at("d"))
    refused("a name too long", errno.ENAMETOOLONG, os.stat, at("y" * 256))
    os.mkdir(at("z" * 255))
    os.rmdir(at("z" * 255))
    os.unlink(at("d/c"))
    check("links after unlink", os.stat(at("d/a")).st_nlink == 1)


def renameat2(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def rename_flags():
    write(at("left"), b"left")
    write(at("right"), b"right")
    refused("RENAME_NOREPLACE", errno.EEXIST, renameat2, at("left"), at("right"), 1)
    renameat2(at("left"), at("right"), 2)
    check("RENAME_EXCHANGE", read(at("left")) == b"right" and read(at("right")) == b"left")
    os.unlink(at("left"))


libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.readdir.argtypes = libc.closedir.argtypes = [ctypes.c_void_p]


def moved_directories():
    """What the kernel has kept of a directory that moves is not kept for its new place."""
    for name in ("from", "from/moved", "to", "to/other"):
        os.mkdir(at(name))

    def parent_of(name):
        """As the directory has it, which os.scandir does not show and ls looks up."""
        stream = libc.opendir(at(name).encode())
        try:
            found = None
            while entry := libc.readdir(stream):  # to the end, or the kernel keeps nothing
                if ctypes.string_at(entry + 19) == b"..":
                    found = ctypes.c_uint64.from_address(entry).value
            return found
        finally:
            libc.closedir(stream)

    for name, parent in (("from/moved", "from"), ("to/other", "to")):
        check(f".. of {name}", parent_of(name) == os.stat(at(parent)).st_ino)
    renameat2(at("from/moved"), at("to/other"), 2)
    check("both .. of an exchange", parent_of("from/moved") == os.stat(at("from")).st_ino and parent_of("to/other") == os.stat(at("to")).st_ino)
    os.rename(at("from/moved"), at("to/moved"))
    check(".. of a directory that moved", parent_of("to/moved") == os.stat(at("to")).st_ino)


def attributes():
    path = at("attributes")
    write(path, b"x" * 1000)
    os.chmod(path, 0o640)
    check("chmod", stat.S_IMODE(os.stat(path).st_mode) == 0o640)
    os.utime(path, ns=(1_000_000_007, 2_000_000_003_000_000_009))
    check("utimensat", os.stat(path).st_atime_ns == 1_000_000_007 and os.stat(path).st_mtime_ns == 2_000_000_003_000_000_009)
    os.truncate(path, 10)
    check("truncate", read(path) == b"x" * 10)
    os.truncate(path, 100_000)
    check("a longer size", read(path) == b"x" * 10 + bytes(99_990))
    if os.getuid() == 0:
        os.chmod(path, 0o4755)
        os.chown(path, 1234, 5678)
        s = os.stat(path)
        check("chown", (s.st_uid, s.st_gid) == (1234, 5678))
        check("chown takes set-id bits away", stat.S_IMODE(s.st_mode) == 0o755)
    s = os.statvfs(top)
    check("statfs", s.f_blocks > 0 and s.f_bavail > 0 and s.f_namemax == 255)
    check("access", os.access(path, os.R_OK) and not os.access(at("right"), os.X_OK))


def contents():
    path = at("contents")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    big = os.urandom(3 << 20)
    check("a large write", os.pwrite(fd, big, 12345) == len(big))
    check("a large read", os.pread(fd, len(big) + 10, 12345) == big)
    check("a hole reads as zeros", os.pread(fd, 12345, 0) == bytes(12345))
    os.fsync(fd)
    os.fdatasync(fd)
    os.posix_fallocate(fd, 4 << 20, 1 << 20)
    check("fallocate", os.fstat(fd).st_size == 5 << 20)
    if libc.fallocate(fd, 1, ctypes.c_long(5 << 20), ctypes.c_long(1 << 20)) != 0:  # FALLOC_FL_KEEP_SIZE
        check("fallocate behind the end: " + os.strerror(ctypes.get_errno()), False)
    check("which keeps the size", os.fstat(fd).st_size == 5 << 20 and os.fstat(fd).st_blocks * 512 >= 5 << 20)
    check("no holes while it is written to", os.lseek(fd, 0, os.SEEK_DATA) == 0 and os.lseek(fd, 0, os.SEEK_HOLE) == 5 << 20)
    refused("SEEK_DATA at the end", errno.ENXIO, os.lseek, fd, 5 << 20, os.SEEK_DATA)
    refused("SEEK_HOLE behind it", errno.ENXIO, os.lseek, fd, 6 << 20, os.SEEK_HOLE)
    def change(mode, offset, length):
        return 0 if libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) == 0 else ctypes.get_errno()

    before = os.fstat(fd).st_blocks
    check("FALLOC_FL_PUNCH_HOLE", change(3, 16384, 1 << 20) == 0 and os.fstat(fd).st_blocks == before - (1 << 11))
    check("a punched hole reads as zeros", os.pread(fd, 1 << 20, 16384) == bytes(1 << 20))
    check("FALLOC_FL_ZERO_RANGE", change(16, 2 << 20, 4 << 20) == 0 and os.fstat(fd).st_size == 6 << 20)
    check("a zeroed range reads as zeros", os.pread(fd, 4 << 20, 2 << 20) == bytes(4 << 20))
    check("what is around both is as it was", os.pread(fd, 100, 16384 + (1 << 20)) == big[16384 + (1 << 20) - 12345:][:100])
    check("the kernel lets no range be moved", change(8, 0, 4096) == errno.EOPNOTSUPP and change(32, 0, 4096) == errno.EOPNOTSUPP)
    os.truncate(fd, 5 << 20)
    other = os.open(at("copied"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    copied = 0
    while copied < 3 << 20:
        n = os.copy_file_range(fd, other, (3 << 20) - copied, copied, copied)
        if n == 0:
            break
        copied += n
    check("copy_file_range", os.pread(fd, 3 << 20, 0) == os.pread(other, 3 << 20, 0))
    os.close(other)
    append = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(append, b"end")
    check("O_APPEND", os.fstat(fd).st_size == (5 << 20) + 3 and os.pread(fd, 3, 5 << 20) == b"end")
    os.close(append)
    os.unlink(path)
    check("unlinked but open", os.pread(fd, 3, 5 << 20) == b"end" and os.fstat(fd).st_nlink == 0)
    os.close(fd)
    direct = os.open(at("copied"), os.O_RDWR | os.O_DIRECT)
    page = mmap.mmap(-1, 4096)
    page[:] = b"D" * 4096
    check("O_DIRECT", os.pwritev(direct, [page], 8192) == 4096)
    os.close(direct)
    check("read behind O_DIRECT", read(at("copied"))[8192:12288] == b"D" * 4096)


def mapping():
    path = at("mapped")
    write(path, b"m" * 20_000)
    fd = os.open(path, os.O_RDWR)
    m = mmap.mmap(fd, 20_000)
    m[5000:5005] = b"hello"
    m.flush()
    check("a mapping and a read see the same", os.pread(fd, 5, 5000) == b"hello")
    os.pwrite(fd, b"back", 10_000)
    check("a write and a mapping too", m[10_000:10_004] == b"back")
    appended = os.open(path, os.O_RDWR | os.O_APPEND)  # a page goes back to where it belongs, whoever has it open
    m[0:4] = b"MMMM"
    m.flush()
    m.close()
    os.close(appended)
    os.close(fd)
    check("size after writing pages back", os.stat(path).st_size == 20_000 and read(path)[:4] == b"MMMM")


def stored_into_a_hole():
    """What a mapping has stored is data, whether or not the kernel has written it back."""
    path = at("stored")
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.truncate(fd, 10 << 20)
    m = mmap.mmap(fd, 10 << 20)
    os.close(fd)
    m[8 << 20] = 65
    reader = os.open(path, os.O_RDONLY)
    check("SEEK_DATA finds it", os.lseek(reader, 0, os.SEEK_DATA) <= 8 << 20 < os.lseek(reader, 0, os.SEEK_HOLE))
    m[9 << 20] = 66
    other = os.open(at("stored copy"), os.O_RDWR | os.O_CREAT)
    copied = 0
    while copied < 10 << 20:
        n = os.copy_file_range(reader, other, (10 << 20) - copied, copied, copied)
        if n == 0:
            break
        copied += n
    check("copy_file_range finds it", os.pread(other, 1, 8 << 20) == b"A" and os.pread(other, 1, 9 << 20) == b"B")
    os.close(other)
    m.close()
    limit = time.monotonic() + 30
    while os.lseek(reader, 0, os.SEEK_DATA) == 0 and time.monotonic() < limit:  # the server is told of the last close a little later
        pass
    check("SEEK_DATA afterwards", os.lseek(reader, 0, os.SEEK_DATA) == 8 << 20)
    check("SEEK_HOLE", os.lseek(reader, 8 << 20, os.SEEK_HOLE) in range((8 << 20) + 1, (8 << 20) + 4097))
    os.close(reader)


def locks():
    path = at("locked")
    write(path, b"")
    one, two = os.open(path, os.O_RDWR), os.open(path, os.O_RDWR)
    fcntl.flock(one, fcntl.LOCK_EX)
    refused("flock", errno.EWOULDBLOCK, fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(one, fcntl.LOCK_UN)
    fcntl.lockf(one, fcntl.LOCK_EX, 10, 5)
    child = os.fork()
    if child == 0:
        mine = os.open(path, os.O_RDWR)
        try:
            fcntl.lockf(mine, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 0)
            os._exit(1)
        except OSError as e:
            os._exit(0 if e.errno in (errno.EAGAIN, errno.EACCES) else 2)
    check("fcntl locks", os.waitpid(child, 0)[1] == 0)
    os.close(one)
    os.close(two)


def tmpfile():
    fd = os.open(top, os.O_RDWR | os.O_TMPFILE, 0o600)
    os.write(fd, b"nameless")
    check("O_TMPFILE", os.fstat(fd).st_nlink == 0)
    if libc.linkat(-100, f"/proc/self/fd/{fd}".encode(), -100, at("named").encode(), 0x400) != 0:  # AT_SYMLINK_FOLLOW
        check("linkat: " + os.strerror(ctypes.get_errno()), False)
    os.close(fd)
    check("a name for it", read(at("named")) == b"nameless" and os.stat(at("named")).st_nlink == 1)
    os.close(os.open(top, os.O_RDWR | os.O_TMPFILE, 0o600))


def extended_attributes():
    path = at("attributed")
    write(path, b"x")
    os.setxattr(path, "user.one", b"1" * 100)
    os.setxattr(path, "user.empty", b"")
    check("xattrs", os.getxattr(path, "user.one") == b"1" * 100 and os.getxattr(path, "user.empty") == b"")
    check("their names", {n for n in os.listxattr(path) if n.startswith("user.")} == {"user.one", "user.empty"})
    refused("XATTR_CREATE", errno.EEXIST, os.setxattr, path, "user.one", b"2", os.XATTR_CREATE)
    refused("XATTR_REPLACE", errno.ENODATA, os.setxattr, path, "user.two", b"2", os.XATTR_REPLACE)
    os.removexattr(path, "user.one")
    refused("a removed one", errno.ENODATA, os.getxattr, path, "user.one")
    entry = lambda tag, perm, who=0xFFFFFFFF: struct.pack("<HHI", tag, perm, who)
    acl = struct.pack("<I", 2) + entry(1, 6) + entry(2, 4, 12345) + entry(4, 4) + entry(0x10, 4) + entry(0x20, 0)
    os.setxattr(path, "system.posix_acl_access", acl)
    check("an ACL", os.getxattr(path, "system.posix_acl_access") == acl and stat.S_IMODE(os.stat(path).st_mode) == 0o640)
    os.mkdir(at("inherits"))
    os.setxattr(at("inherits"), "system.posix_acl_default", acl)
    os.umask(0o077)
    write(at("inherits/file"), b"")
    os.umask(0o022)
    check("an ACL is inherited, the umask is not", len(os.getxattr(at("inherits/file"), "system.posix_acl_access")) == len(acl) and
          stat.S_IMODE(os.stat(at("inherits/file")).st_mode) == 0o640)


FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_GETVERSION = 0x80086601, 0x40086602, 0x801C581F, 0x80087601
FS_IMMUTABLE_FL, FS_APPEND_FL, FS_NODUMP_FL = 0x10, 0x20, 0x40


def flags():
    for path in (at("flagged"), at("flagged_directory")):
        os.mkdir(path) if path.endswith("directory") else write(path, b"f")
        fd = os.open(path, os.O_RDONLY)
        get = lambda: struct.unpack("i", fcntl.ioctl(fd, FS_IOC_GETFLAGS, struct.pack("i", 0)))[0]
        before = get()
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", before | FS_NODUMP_FL))
        check("chattr +d", get() == before | FS_NODUMP_FL)
        check("FSGETXATTR", struct.unpack("I", fcntl.ioctl(fd, FS_IOC_FSGETXATTR, bytes(28))[:4])[0] & 0x80)
        if os.getuid() == 0:
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", before | FS_IMMUTABLE_FL))
            refused("chmod of what is immutable", errno.EPERM, os.chmod, path, 0o700)
            if not path.endswith("directory"):
                refused("writing to it", errno.EPERM, os.open, path, os.O_WRONLY)
            fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", before))
            if not path.endswith("directory"):
                fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", before | FS_APPEND_FL))
                append = os.open(path, os.O_RDWR | os.O_APPEND)
                refused("a mapping for stores of what is append-only", errno.ENODEV, mmap.mmap, append, 1)
                os.write(append, b"more")
                os.close(append)
                check("appending to it", read(path) == b"fmore")
                fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("i", before))
        os.close(fd)
    refused("an unknown ioctl", errno.ENOTTY, fcntl.ioctl, os.open(at("flagged"), os.O_RDONLY), 0x80046699, bytes(4))


def directories():
    many = at("many")
    os.mkdir(many)
    wanted = {f"a name of some length, and number {i}" for i in range(1500)}
    for name in wanted:
        write(os.path.join(many, name), b"")
    check("all names", set(os.listdir(many)) == wanted)
    with os.scandir(many) as entries:  # names vanish and appear while it is read: those that stay come once
        seen = []
        for i, entry in enumerate(entries):
            seen.append(entry.name)
            if i == 700:
                for name in sorted(wanted)[:100]:
                    if name not in seen:
                        os.unlink(os.path.join(many, name))
                        wanted.discard(name)
    check("each name once", len(seen) == len(set(seen)) and wanted <= set(seen))
    check("types", all(e.is_file(follow_symlinks=False) for e in os.scandir(many)))
    fd = os.open(many, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def time_of_changes():
    d = at("timed")
    os.mkdir(d)
    os.utime(d, (1, 1))
    write(os.path.join(d, "x"), b"")
    check("a new name changes its directory", os.stat(d).st_mtime > 1)
    f = os.path.join(d, "x")
    os.link(f, os.path.join(d, "y"))
    os.utime(f, (1, 1))
    before = os.stat(f).st_ctime_ns
    while os.stat(f).st_ctime_ns == before:
        os.unlink(os.path.join(d, "y"))
        os.link(f, os.path.join(d, "y"))
    os.unlink(os.path.join(d, "y"))
    check("links after all that", os.stat(f).st_nlink == 1)
    with open(f, "r+b") as file:
        file.write(b"w")
    check("a write changes mtime", os.stat(f).st_mtime > 1)
    os.mkdir(os.path.join(d, "sub"))
    check("a directory in it counts", os.stat(d).st_nlink == 3)
    os.rmdir(os.path.join(d, "sub"))
    check("and no more", os.stat(d).st_nlink == 2)


for part in (names, rename_flags, moved_directories, attributes, contents, mapping, stored_into_a_hole, locks, tmpfile, extended_attributes, flags, directories, time_of_changes):
    part()
sys.exit(1 if wrong else 0)
