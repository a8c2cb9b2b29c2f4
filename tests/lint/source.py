"""Reading the tree: which files there are, and C++ text without its comments and strings."""
import os
import re

CXX = (".cc", ".h")
TREES = ("include", "src", "tools", "tests", "examples")
PRODUCT = ("base", "locks", "dev", "jbd2", "vfs", "mm", "xip", "fs_ext4lite")  # from the ground up
LABORATORY = ("explore", "crash", "scenario", "exhibits")
ROOMS = PRODUCT + LABORATORY


class Source:
    """One file. `room` is None outside of rooms; `kind` is src, include, tests, tools ..."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
            self.text = f.read()
        parts = path.split("/")
        self.kind = parts[0]
        place = parts[2] if parts[:2] == ["include", "xip"] and len(parts) > 3 else parts[1] if parts[0] in ("src", "tests") and len(parts) > 2 else None
        self.room = place if place in ROOMS else None
        self.plain_ = None

    @property
    def plain(self):
        """The text with comments and the insides of strings blanked out, line by line."""
        if self.plain_ is None:
            self.plain_ = without_comments(self.text, keep_strings=False)
        return self.plain_

    def lines(self):
        return enumerate(self.plain.split("\n"), 1)


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)


def without_comments(text, keep_strings):
    def blank(match):
        found = match.group(0)
        if found[0] != "/":
            if keep_strings:
                return found
            return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]
        return re.sub(r"[^\n]", " ", found)

    return TOKEN.sub(blank, text)


def walk(root, trees, endings):
    """Paths below ROOT, relative to it, sorted."""
    found = []
    for tree in trees:
        for folder, folders, names in os.walk(os.path.join(root, tree)):
            folders[:] = sorted(f for f in folders if f != "build" and not f.startswith(".") and f != "__pycache__")
            for name in names:
                if name.endswith(endings):
                    found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(set(found))


def cxx_sources(root, trees=TREES):
    return [Source(root, path) for path in walk(root, trees, CXX)]
