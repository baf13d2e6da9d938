#!/usr/bin/env python3
"""circles.py - the circles of files that call each other, in each folder of the tree.

    circles.py [BUILD [FOLDER ...]]

Run from the top of the tree. BUILD is the folder of the release objects (build/release if missing).
FOLDER ... are the folders to judge; without any, all are.

Two files are in one circle if each reaches the other by calls, over any number of files between. A
reader has to understand all files of a circle together, so a circle has at most LIMIT files. The
edges come from nm: a symbol that one object needs and another object of the same folder defines.
Calls within a file, and through function pointers, do not count. An object without a source is
skipped: an older build made it from a file that is renamed now.

Prints the largest circle of each folder; exit code 1 if a judged one is larger than LIMIT.
"""

import os
import subprocess
import sys

LIMIT = 4
DEFINED, UNDEFINED = "TDBRVW", "U"


def symbols(path):
    """The symbols that an object defines, and the symbols that it needs."""
    listed = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    fields = [line.split() for line in listed.splitlines()]
    defined = {names[-1] for names in fields if names[-2] in DEFINED}
    return defined, {names[-1] for names in fields if names[-2] in UNDEFINED}


def sources_built(build, folder):
    """The sources of a folder of the tree that have an object."""
    listed = sorted(os.listdir(os.path.join(build, folder)))
    built = [name[:-2] + ".c" for name in listed if name.endswith(".o")]
    return [name for name in built if os.path.exists(os.path.join(folder, name))]


def calls(build, folder):
    """File -> files of the same folder that it calls."""
    table = {
        name: symbols(os.path.join(build, folder, name[:-2] + ".o"))
        for name in sources_built(build, folder)
    }
    home = {symbol: name for name, (defined, _) in table.items() for symbol in defined}
    return {
        name: sorted({home[symbol] for symbol in needed if symbol in home} - {name})
        for name, (_, needed) in table.items()
    }


def reached_from(start, edges):
    seen, todo = set(), [start]
    while todo:
        for name in edges[todo.pop()]:
            if name not in seen:
                seen.add(name)
                todo.append(name)
    return seen


def largest_circle(edges):
    """The files of the largest circle; one file if no two files call each other."""
    reached = {name: reached_from(name, edges) for name in edges}
    circles = [
        sorted({name} | {other for other in reached[name] if name in reached[other]})
        for name in sorted(edges)
    ]
    return max(circles, key=len, default=[])


def folders(build):
    skipped = {"tests", "bench", "verify", "examples"}
    for root, below, files in os.walk(build):
        below[:] = sorted(name for name in below if root != build or name not in skipped)
        folder = os.path.relpath(root, build)
        if any(name.endswith(".o") for name in files) and sources_built(build, folder):
            yield folder


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build/release"
    judged = sys.argv[2:]
    offences, any_folder = 0, False
    for name in folders(build):
        any_folder = True
        circle = largest_circle(calls(build, name))
        too_large = len(circle) > LIMIT and (not judged or name in judged)
        offences += too_large
        files = ": " + " ".join(circle) if len(circle) > 1 else ""
        limit = f", at most {LIMIT}" if too_large else ""
        print(f"{name}/: largest circle of files {len(circle)}{limit}{files}")
    if not any_folder:
        print(f"circles: there are no objects in {build}: run make first", file=sys.stderr)
        return 1
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
