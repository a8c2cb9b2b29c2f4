#!/usr/bin/env python3
"""Calls on a mount whose server runs out of memory now and then. What fails for that has changed nothing; what succeeds is there.

    memory.py DIRECTORY STEPS    makes STEPS calls by chance in DIRECTORY and holds each answer against a model, then lists DIRECTORY
    memory.py DIRECTORY          lists DIRECTORY: what it has, with contents and attributes"""
import errno
import hashlib
import os
import random
import stat
import sys

top = sys.argv[1]
refused = made = 0


def wrong(what):
    sys.exit("memory.py: " + what)


def patiently(call, *arguments, **named):
    """What the call answers once there is memory. The kernel may make EIO of a page that cannot be read."""
    for _ in range(10_000):
        try:
            return call(*arguments, **named)
        except OSError as e:
            if e.errno not in (errno.ENOMEM, errno.EIO):
                raise
    wrong("%s %s: no memory, however often one asks" % (call.__name__, arguments[0]))


def once(call, *arguments, **named):
    """Whether the call was made. It is possible, so only memory can be missing."""
    global refused, made
    try:
        call(*arguments, **named)
        made += 1
        return True
    except OSError as e:
        if e.errno != errno.ENOMEM:
            wrong("%s: %s" % (call.__name__, e))
        refused += 1
        return False


def contents(path):
    def read():
        with open(path, "rb", buffering=0) as f:
            return f.readall()
    return patiently(read)


def attribute(path):
    try:
        return patiently(os.getxattr, path, "user.x")
    except OSError as e:
        if e.errno != errno.ENODATA:
            raise
        return None


class File:
    def __init__(self):
        self.bytes, self.attribute = b"", None


DIRECTORY, LINK = "a directory", "a symlink"


class Model:
    """What lies in DIRECTORY: for each path a File (one object for all its names), a directory without contents, or a symlink."""
    def __init__(self, chance):
        self.chance, self.there = chance, {}
        self.rooms = [os.path.join(top, name) for name in ("a", "b", "c")]
        for room in self.rooms:
            patiently(os.mkdir, room)

    def path(self, wanted):
        """A path with something of the kind; None: a path with nothing."""
        if wanted is None:
            free = os.path.join(self.chance.choice(self.rooms), "n%d" % self.chance.randrange(24))
            return free if free not in self.there else None
        of_kind = [p for p, what in self.there.items() if (what if isinstance(what, str) else File) == wanted]
        return self.chance.choice(of_kind) if of_kind else None

    def check(self, *paths):
        for path in paths:
            what = self.there.get(path)
            try:
                mode = patiently(os.lstat, path).st_mode
            except FileNotFoundError:
                mode = 0
            found = {0: None, stat.S_IFREG: File, stat.S_IFDIR: DIRECTORY, stat.S_IFLNK: LINK}[stat.S_IFMT(mode) if mode else 0]
            if found != (File if isinstance(what, File) else what):
                wrong("%s: found %s in place of %s" % (path, found, what))
            if isinstance(what, File) and (contents(path) != what.bytes or attribute(path) != what.attribute):
                wrong("%s: other bytes or attributes" % path)

    def check_names(self):
        for room in self.rooms:
            wanted = {os.path.basename(p) for p in self.there if os.path.dirname(p) == room}
            found = set(patiently(os.listdir, room))
            if found != wanted:
                wrong("%s: has %s, and not %s" % (room, found - wanted, wanted - found))

    def make(self, kind):
        path = self.path(None)
        if path is None:
            return
        if kind == LINK:
            made = once(os.symlink, "target", path)
        elif kind == DIRECTORY:
            made = once(os.mkdir, path)
        else:
            opened = []
            made = once(lambda: opened.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)))
            for fd in opened:
                os.close(fd)
        if made:
            self.there[path] = kind() if kind == File else kind
        self.check(path)

    def link(self):
        old, new = self.path(File), self.path(None)
        if old and new:
            if once(os.link, old, new):
                self.there[new] = self.there[old]
            self.check(old, new)

    def remove(self, kind):
        path = self.path(kind)
        if path:
            if once(os.rmdir if kind == DIRECTORY else os.unlink, path):
                del self.there[path]
            self.check(path)

    def rename(self):
        old, new = self.path(self.chance.choice((File, DIRECTORY, LINK))), self.path(self.chance.choice((File, None)))
        if old is None or new is None or self.there[old] == DIRECTORY and new in self.there or self.there[old] is self.there.get(new):
            return
        if once(os.rename, old, new):
            self.there[new] = self.there.pop(old)
        self.check(old, new)

    def write(self):
        path = self.path(File)
        if path is None:
            return
        f, more = self.there[path], os.urandom(self.chance.randrange(1, 30_000))
        at = self.chance.randrange(len(f.bytes) + 5000)
        fd = patiently(os.open, path, os.O_WRONLY)
        written = []
        if once(lambda: written.append(os.pwrite(fd, more, at))):
            more = more[:written[0]]  # memory may have run out on the way
            f.bytes = f.bytes.ljust(at, b"\0")[:at] + more + f.bytes[at + len(more):]
        os.close(fd)
        self.check(path)

    def truncate(self):
        path = self.path(File)
        if path:
            f, size = self.there[path], self.chance.randrange(40_000)
            if once(os.truncate, path, size):
                f.bytes = f.bytes[:size].ljust(size, b"\0")
            self.check(path)

    def set_attribute(self):
        path = self.path(File)
        if path:
            value = os.urandom(self.chance.randrange(1, 700))
            if once(os.setxattr, path, "user.x", value):
                self.there[path].attribute = value
            self.check(path)

    def sync(self):
        path = self.path(File)
        if path:
            fd = patiently(os.open, path, os.O_RDONLY)
            once(os.fsync, fd)
            os.close(fd)


def change(steps):
    chance = random.Random(steps)
    m = Model(chance)
    kinds = [lambda: m.make(File)] * 4 + [lambda: m.make(DIRECTORY)] * 2 + [lambda: m.make(LINK), lambda: m.remove(File), lambda: m.remove(DIRECTORY)] + [
        lambda: m.remove(LINK), m.link, m.rename, m.rename, m.write, m.write, m.truncate, m.set_attribute, m.sync]
    for step in range(steps):
        chance.choice(kinds)()
        if step % 50 == 0:
            m.check_names()
    m.check_names()
    m.check(*m.there)
    print("%d calls were made, %d found no memory" % (made, refused), file=sys.stderr)
    if refused == 0 or made < steps // 10:
        wrong("too few calls: %d were made, %d found no memory" % (made, refused))


def show(directory, name):
    for entry in sorted(patiently(os.listdir, directory)):
        path, shown = os.path.join(directory, entry), os.path.join(name, entry)
        found = patiently(os.lstat, path)
        line = "%s %o %d %d %d" % (shown, found.st_mode, found.st_nlink, found.st_size, found.st_blocks)
        if stat.S_ISREG(found.st_mode):
            line += " %s %s" % (hashlib.sha256(contents(path)).hexdigest(), hashlib.sha256(attribute(path) or b"").hexdigest())
        print(line)
        if stat.S_ISDIR(found.st_mode):
            show(path, shown)


if len(sys.argv) > 2:
    change(int(sys.argv[2]))
show(top, "")
