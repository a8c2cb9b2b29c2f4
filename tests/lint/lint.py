#!/usr/bin/env python3
"""The rules of the house that a machine can read.

    lint.py RULE [--root DIR]                 exit 1 with one line a violation
    lint.py globals [--root DIR] LIBRARY...   mutable state in these archives
    lint.py --self-test RULE [--cxx CXX]      the rule finds every planted violation and is silent about what only looks like one
"""
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import floors  # noqa: E402
import planted  # noqa: E402
import symbols  # noqa: E402
import text_rules  # noqa: E402

RULES = {
    "includes": floors.includes,
    "names": floors.names,
    "blocking": text_rules.blocking,
    "identifiers": text_rules.identifiers,
    "unfinished": text_rules.unfinished,
    "sizes": text_rules.sizes,
    "guards": text_rules.guards,
    "buffers": text_rules.buffers,
    "scenarios": text_rules.scenarios,
    "suppressions": text_rules.suppressions,
}


def report(problems):
    for path, line, why in problems:
        print(f"{path}:{line}: {why}" if line else f"{path}: {why}")
    print(f"{len(problems)} violations")
    return 1 if problems else 0


def found_in(rule, path, text):
    with tempfile.TemporaryDirectory() as root:
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        return RULES[rule](root)


def globals_found_in(text, cxx):
    with tempfile.TemporaryDirectory() as folder:
        source, output = os.path.join(folder, "a.cc"), os.path.join(folder, "a.o")
        with open(source, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        subprocess.run([cxx, "-std=c++2b", "-O1", "-fPIC", "-c", source, "-o", output], check=True)
        return symbols.globals_in([output], folder)


def self_test(rule, cxx):
    if rule == "globals":
        cases = [(text, bool(globals_found_in(text, cxx)), bad) for text, bad in planted.GLOBALS]
    else:
        cases = [(f"{path}: {text}", bool(found_in(rule, path, text)), True) for path, text in planted.PLANTED[rule]]
        cases += [(f"{path}: {text}", bool(found_in(rule, path, text)), False) for path, text in planted.INNOCENT[rule]]
    wrong = [(text, bad) for text, found, bad in cases if found != bad]
    for text, bad in wrong:
        print(("missed: " if bad else "wrongly reported: ") + text[:300])
    print(f"{len(cases) - len(wrong)} of {len(cases)} judged rightly")
    return 1 if wrong or not cases else 0


def main(arguments):
    options = {"--root": ".", "--cxx": "c++"}
    words = []
    while arguments:
        word = arguments.pop(0)
        if word in options and arguments:
            options[word] = arguments.pop(0)
        else:
            words.append(word)
    if words[:1] == ["--self-test"] and len(words) == 2 and words[1] in (*RULES, "globals"):
        return self_test(words[1], options["--cxx"])
    if words[:1] == ["globals"] and len(words) > 1:
        return report(symbols.globals_in(words[1:], options["--root"]))
    if len(words) == 1 and words[0] in RULES:
        return report(RULES[words[0]](options["--root"]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
