"""Map-reduce from Python: counts of letters and of words, by plm, multiprocessing and one loop.

    python3 examples/workloads/words/words.py count FILE...        the words, as sorted lines
    python3 examples/workloads/words/words.py index FILE...        the same, with their lines
    python3 examples/workloads/words/words.py check FILE...        all ways, also with a dead worker
    python3 examples/workloads/words/words.py measure ROUNDS FILE...

The letters of a chunk are counted by bytes.translate(), which runs at the speed of C, so that the
figures show the ways and not the language. A line of a file is a document; the lines
of all files count on.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import plm

CHUNKS_OF_TASK = 8  # of letters; multiprocessing.Pool.map() sends an eighth of its share at a time
NO_LETTERS = bytes(set(range(256)) - set(range(97, 123)))
Index = dict[bytes, list[tuple[int, int]]]


# ---- the origin: a count for each chunk, one sum ----


def letters(text: bytes | memoryview) -> int:
    return len(bytes(text).translate(None, NO_LETTERS))


# ---- words ----


def count(text: bytes | memoryview) -> Counter[bytes]:
    return Counter(re.findall(rb"[a-z]+", bytes(text)))


def merge(*counts: Counter[bytes]) -> Counter[bytes]:
    """A new count: values of the store are read-only."""
    merged: Counter[bytes] = Counter()
    for part in counts:
        merged.update(part)
    return merged


def first_lines(texts: Iterable[bytes]) -> list[int]:
    """How many lines lie in front of each text."""
    lines = [text.count(b"\n") + (text[-1:] not in (b"", b"\n")) for text in texts]
    return list(accumulate(lines, initial=0))[:-1]


def index(first_line: int, text: bytes | memoryview) -> Index:
    found: Index = {}
    for line, words in enumerate(bytes(text).split(b"\n"), first_line):
        for word, times in count(words).items():
            found.setdefault(word, []).append((line, times))
    return found


def merge_index(*parts: Index) -> Index:
    merged: Index = {}
    for part in parts:
        for word, places in part.items():
            merged.setdefault(word, []).extend(places)
    return merged


def lines_of(counts: Counter[bytes] | Index) -> str:
    def numbers(value: int | list[tuple[int, int]]) -> str:
        if isinstance(value, int):
            return str(value)
        return " ".join(f"{document}:{times}" for document, times in value)

    return "".join(f"{word.decode()} {numbers(counts[word])}\n" for word in sorted(counts))


# ---- the ways ----


def tree(pool: Any, parts: list[Any], reduce: Callable[..., Any]) -> Any:
    """Merges neighbours, sixteen at a time, by tasks: no part passes through this program."""
    while len(parts) > 1:
        groups = [parts[at : at + 16] for at in range(0, len(parts), 16)]
        parts = [pool.submit(reduce, *group) for group in groups]
    return parts[0].result()


def by_plm(pool: Any, chunks: list[Any], first: list[int], what: str) -> Any:
    if what == "letters":
        return sum(pool.map(letters, chunks, chunksize=CHUNKS_OF_TASK))
    if what == "count":
        return tree(pool, [pool.submit(count, chunk) for chunk in chunks], merge)
    # An index grows with the text, so each level of a tree would copy all of it.
    return merge_index(*pool.map(index, first, chunks))


def by_pool(pool: Any, texts: list[bytes], first: list[int], what: str) -> Any:
    if what == "letters":
        return sum(pool.map(letters, texts))
    if what == "count":
        return merge(*pool.map(count, texts))
    return merge_index(*pool.starmap(index, zip(first, texts, strict=False)))


def by_loop(texts: list[bytes], first: list[int], what: str) -> Any:
    if what == "letters":
        return sum(map(letters, texts))
    if what == "count":
        return merge(*map(count, texts))
    return merge_index(*(index(*at) for at in zip(first, texts, strict=False)))


# ---- the program ----


def die_once(path: str) -> None:
    """Kills its worker at the first call."""
    if not os.path.exists(path):
        with open(path, "w", encoding="ascii"):
            os.kill(os.getpid(), signal.SIGKILL)


def check(texts: list[bytes]) -> None:
    with plm.Executor(max_workers=2) as plain, tempfile.TemporaryDirectory() as folder:
        pool = plain.options(crash_retries=20)
        with multiprocessing.Pool(2) as other:
            chunks, first = [plain.put(text) for text in texts], first_lines(texts)
            for what in ("letters", "count", "index"):
                death = pool.submit(die_once, f"{folder}/{what}")
                right = by_loop(texts, first, what)
                if right != by_plm(pool, chunks, first, what):
                    sys.exit(f"words.py: {what} differs from that of one loop")
                if right != by_pool(other, texts, first, what):
                    sys.exit(f"words.py: {what} by multiprocessing differs")
                death.result()
    print("words.py: all results are right")


def measure(texts: list[bytes], rounds: int) -> None:
    """The ways in turn; the first round warms up. A regular expression costs a hundred times as
    much as a count of letters, so words are counted in a fifth of the chunks."""
    cores = len(os.sched_getaffinity(0))
    times: dict[str, list[float]] = {}

    def timed(name: str, way: Callable[..., object], *given: Any) -> None:
        began = time.perf_counter()
        way(*given)
        times.setdefault(name, []).append(time.perf_counter() - began)

    few = max(1, len(texts) // 5)
    sizes = {"letters": len(texts), "count": few, "index": few}

    with plm.Executor() as pool, multiprocessing.Pool(cores) as other:
        chunks, first = [pool.put(text) for text in texts], first_lines(texts)
        for _ in range(rounds + 1):
            for what, n in sizes.items():
                timed(f"{what}, {n} chunks", by_plm, pool, chunks[:n], first, what)
                timed(
                    f"{what}, multiprocessing, {n} chunks", by_pool, other, texts[:n], first, what
                )
                timed(f"{what}, one loop, {n} chunks", by_loop, texts[:n], first, what)
    for name, values in times.items():
        row(statistics.median(values[1:]) * 1e3, "ms", f"Python, {name}")


def row(value: float, unit: str, name: str) -> None:
    print(f"{name:64}  {value:12.6g}  {unit}", flush=True)


def main(words: Sequence[str]) -> None:
    mode = words[0] if words else ""
    paths = words[2:] if mode == "measure" else words[1:]
    if mode not in ("count", "index", "check", "measure") or not paths:
        sys.exit("usage: words.py count|index|check FILE... or measure ROUNDS FILE...")
    texts = [Path(path).read_bytes() for path in paths]
    if mode == "check":
        check(texts)
    elif mode == "measure":
        measure(texts, int(words[1]))
    else:
        with plm.Executor() as pool:
            chunks = [pool.put(text) for text in texts]
            print(lines_of(by_plm(pool, chunks, first_lines(texts), mode)), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
