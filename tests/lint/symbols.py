"""No mutable globals: what the libraries' objects keep in writable sections."""
import re
import subprocess

import source

# What the compiler itself puts there.
ALLOWED = re.compile(r"^(?:DW\.ref\.|typeinfo |vtable |VTT |__odr_asan|\.\w)")
# The running thread's own state, in the sense of Linux's `current`.
THREAD_STATE = re.compile(r"\bcurrent\w*\b")
# A signal's handler is the process's, and what it has to know with it.
PROCESS_STATE = re.compile(r"\b(?:mm::\(anonymous namespace\)::process_spaces|scenario::\(anonymous namespace\)::process_handlers)$")
WRITABLE = re.compile(r"^\.(?:data(?!\.rel\.ro)|bss|tdata|tbss|ldata|lbss)")
# address, flags, section, size, name: as objdump -t prints symbols
SYMBOL = re.compile(r"^[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+)\s+(?:\.hidden )?(.+)$")


def is_constexpr(name, root):
    """g++ 12 leaves some constants whose type has a constructor writable when they hold addresses; the source knows better."""
    last = re.split(r"::", name)[-1]
    if not re.fullmatch(r"\w+", last):
        return False
    declaration = re.compile(rf"\bconstexpr\b[^;(){{}}]*\b{last}\s*(?:\[[^\]]*\]\s*)?[{{=]")
    return any(declaration.search(file.plain) for file in source.cxx_sources(root, ("src", "include")))


def globals_in(libraries, root="."):
    problems = []
    for library in libraries:
        listing = subprocess.run(["objdump", "-t", "-C", library], check=True, capture_output=True, text=True).stdout
        member = library
        for line in listing.split("\n"):
            header = re.match(r"^(\S+):\s+file format", line)
            if header:
                member = header.group(1)
                continue
            match = SYMBOL.match(line)
            if not match:
                continue
            flags, section, size, name = match.groups()
            if not WRITABLE.match(section) or int(size, 16) == 0 or "d" in flags or ALLOWED.match(name):
                continue
            if section.startswith((".tdata", ".tbss")) and THREAD_STATE.search(name):
                continue
            if PROCESS_STATE.search(name):
                continue
            if section.startswith(".data.rel.local") and is_constexpr(name, root):
                continue
            problems.append((member, 0, f"mutable state outside of any instance, in {section}: {name}"))
    return problems
