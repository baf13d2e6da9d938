#!/usr/bin/env python3
"""pronouns.py - the share of pronouns among the words of comments, and among the words of pages.

    pronouns.py           the findings of `make tidy`, then the two shares
    pronouns.py FILE ...  each file's share, the worst first

A pronoun sends the reader back to look for its noun. Good C projects have 3.0 to 3.6 %. At most 5 %
are allowed over all comments and over all pages, and 8 % in each file with 100 words or more.
"""

import re
import shutil
import subprocess
import sys

PRONOUNS = frozenset(
    "it its itself one ones that this who whom whose what whoever other others they them their "
    "there those these".split()
)
OVER_ALL, PER_FILE, FEW_WORDS = 5.0, 8.0, 100
PRODUCT = re.compile(r"(?!tests/|bench/|verify/|tools/)")


def prose_of(path):
    """The words for people in a file: all of a page without its code, the comments of a
    source, and the docstrings of Python."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if path.endswith(".md"):
        text = re.sub(r"```.*?```", " ", text, flags=re.S)
        return re.sub(r"`[^`\n]*`", " ", text)
    if path.endswith((".c", ".h", ".pml")):
        literals = r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
        found = re.findall(literals + r"|/\*.*?\*/|//[^\n]*", text, flags=re.S)
        return " ".join(piece for piece in found if piece[0] == "/")
    comments = re.findall(r"(?:^|\s)#(.*)", text)
    if path.endswith(".py"):
        comments += re.findall(r'"""(.*?)"""', text, flags=re.S)
    return " ".join(comments)


def count(path):
    words = re.findall(r"[a-z']+", prose_of(path).lower())
    return len(words), sum(word in PRONOUNS for word in words)


def share(words, pronouns):
    return 100.0 * pronouns / words if words else 0.0


def files():
    """The files that git knows or would add; without git all files but those that make makes."""
    commands = (
        ["git", "ls-files", "-co", "--exclude-standard"],
        ["find", ".", "-type", "f", "-printf", "%P\n"],
    )
    listed = ""
    for command in commands:
        if not listed and shutil.which(command[0]):
            listed = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
            ).stdout
    wanted = re.compile(r"\.([ch]|pml|md|py|sh|mk)$|^Makefile$|^\.ci/run$")
    return sorted(
        path
        for path in listed.split("\n")
        if wanted.search(path) and not path.startswith(("build/", ".git/"))
    )


def main():
    if len(sys.argv) > 1:
        rows = [(share(*count(path)), *count(path), path) for path in sys.argv[1:]]
        for percent, words, pronouns, path in sorted(rows, reverse=True):
            print(f"{percent:5.1f} %  {pronouns:4} of {words:5}  {path}")
        return 0
    sums, findings = {"comments": [0, 0], "pages": [0, 0]}, 0
    for path in files():
        words, pronouns = count(path)
        total = sums["pages" if path.endswith(".md") else "comments"]
        total[0] += words
        total[1] += pronouns
        if PRODUCT.match(path) and words >= FEW_WORDS and share(words, pronouns) > PER_FILE:
            findings += 1
            print(f"{path}: {share(words, pronouns):.1f} % of the words are pronouns; "
                  f"at most {PER_FILE:.0f} %")
    for kind, (words, pronouns) in sums.items():
        if share(words, pronouns) > OVER_ALL:
            findings += 1
        print(f"pronouns in {kind}: {share(words, pronouns):.1f} % of {words} words, "
              f"at most {OVER_ALL:.0f} %", file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
