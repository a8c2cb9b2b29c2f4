"""Includes point only down the floors; rooms name nobody they must not know."""
import re

import source
from source import LABORATORY, PRODUCT

# What the laboratory may use: its own rooms below, and public headers of these product rooms.
LABORATORY_MAY = {
    "explore": ("base", "locks", "dev"),
    "crash": PRODUCT,
    "scenario": PRODUCT,
    "exhibits": PRODUCT,
}

# External headers and the places that may know them. Everything not named here is the standard library's or the system's.
OUTSIDE = {
    r"liburing": ("src/dev", "tests/dev"),
    r"libpmem": ("src/dev", "tests/dev", "tools"),
    r"(isa-l|crc\.h|crc64\.h)": ("src/base", "tests/base"),
    r"(fuse3/|linux/fuse\.h)": ("tools",),
    r"CLI/": ("tools",),
    r"benchmark/": ("tools",),
    r"boost/": ("src/explore",),
    r"nlohmann/": ("tools", "src/scenario", "src/explore", "src/crash", "src/exhibits", "tests/tools", "tests/scenario", "tests/explore"),
    r"g(test|mock)/": ("tests",),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(target):
    parts = target.split("/")
    if parts[0] == "xip" and len(parts) > 2:
        return parts[1], True
    return (parts[0], False) if len(parts) > 1 else (None, False)


def forbidden(room, kind, target):
    """Why a file of this room may not include TARGET, or None."""
    to, public = room_of(target)
    if to not in source.ROOMS:
        return None
    if to == room:
        return "a public header includes a private one" if kind == "include" and not public else None
    if kind == "include" and not public:
        return "a public header includes a private one"
    if room in PRODUCT:
        if to in LABORATORY:
            return f"the product includes the laboratory ({to})"
        if PRODUCT.index(to) > PRODUCT.index(room):
            return f"{room} includes {to}, which is above it"
        return None
    if to in LABORATORY:
        return f"{room} includes {to}, which is above it" if LABORATORY.index(to) > LABORATORY.index(room) else None
    if not public:
        return f"the laboratory includes a private header of {to}"
    return None if to in LABORATORY_MAY[room] else f"{room} does not know {to}"


def includes(root):
    problems = []
    for file in source.cxx_sources(root):
        for number, line in enumerate(source.without_comments(file.text, keep_strings=True).split("\n"), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(2)
            why = forbidden(file.room, file.kind, target) if file.room else None
            for pattern, places in OUTSIDE.items():
                if re.match(pattern, target) and not file.path.startswith(places):
                    why = f"only {', '.join(places)} may include <{target}>"
            if why:
                problems.append((file.path, number, why))
    return problems


# Words a room must not know, in code and in strings (comments may explain). A place is a room, or a path.
EXT4 = r"(?i)\w*ext4\w*"
DEVICE_KINDS = r"\b(pmem\w*|libpmem\w*|io_uring\w*|liburing\w*|memfd\w*|open_memory|open_pmem|open_block|memory_device|block_device)\b"
TASK = r"\b(task|task_struct)\b|xip/vfs/task\.h"
NOT_KNOWN = {
    "base": ((EXT4, "ext4"), (r"\binode\b", "inodes")),
    "locks": ((EXT4, "ext4"), (r"\binode\b", "inodes")),
    "dev": ((EXT4, "ext4"), (r"\b(inode|i_rwsem|super_block)\b", "the VFS")),
    "jbd2": ((EXT4, "ext4"), (DEVICE_KINDS, "kinds of devices")),
    "vfs": ((EXT4, "ext4"), (r"\bi_data_sem\w*|\bjbd2_\w+|\bextent_cache\b", "a file system's own locks and parts"), (DEVICE_KINDS, "kinds of devices")),
    "mm": ((EXT4, "ext4"), (r"\bi_data_sem\w*|\bjbd2_\w+", "a file system's own parts"), (r"\b(pmem|io_uring)\w*", "kinds of devices")),
    "xip": ((EXT4, "ext4"), (r"\bi_data_sem\w*|\bjbd2_\w+", "a file system's own parts"), (DEVICE_KINDS, "kinds of devices")),
    "fs_ext4lite": ((DEVICE_KINDS, "kinds of devices"), (TASK, "tasks")),
    "explore": ((EXT4, "ext4"), (r"xip/vfs/|\bvfs::", "the VFS")),
    "crash": ((r"\w*ext4lite\w*", "ext4lite"),),
    "scenario": ((r"\w*ext4lite\w*", "ext4lite"),),
}
# The one vocabulary of points, and the mains that put a program together.
EXEMPT = re.compile(r"^include/xip/base/points\.h$|_main\.cc$")


def names(root):
    problems = []
    for file in source.cxx_sources(root, ("include", "src")):
        if file.room not in NOT_KNOWN or EXEMPT.search(file.path):
            continue
        for number, line in enumerate(source.without_comments(file.text, keep_strings=True).split("\n"), 1):
            for pattern, what in NOT_KNOWN[file.room]:
                match = re.search(pattern, line)
                if match:
                    problems.append((file.path, number, f"{file.room} must not know {what}: {match.group(0)}"))
    return problems
