"""Counts the words of files: one task a file, then pairs of counts are merged in a tree.

The counts never pass through this program: a future among the arguments of a task is a dependency,
and its value goes from worker to worker through shared memory. Only the total is read here.

    python3 examples/python/word_count.py FILE...
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import plm


def count(path: str) -> Counter[str]:
    return Counter(re.findall(r"[a-z]+", Path(path).read_text(errors="replace").lower()))


def merge(one: Counter[str], other: Counter[str]) -> Counter[str]:
    return one + other


def main(paths: list[str]) -> None:
    with plm.Executor() as pool:
        parts = [pool.submit(count, path) for path in paths]
        while len(parts) > 1:
            pairs = zip(parts[::2], parts[1::2], strict=False)
            rest = parts[len(parts) // 2 * 2 :]
            parts = [pool.submit(merge, one, other) for one, other in pairs] + rest
        for word, number in parts[0].result().most_common(5):
            print(f"{number:6} {word}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: word_count.py FILE...")
    main(sys.argv[1:])
