#!/usr/bin/env python3
"""experiments.py - measures the workloads and writes the tables and plots of docs/workloads.md.

    make experiments                                  all, a quarter of an hour on two quiet cores
    make experiments EXPERIMENT_FLAGS=--quick         small sizes, four minutes
    make experiments EXPERIMENT_FLAGS='--only rag'    one part: matrix words rag llm
    make experiments EXPERIMENT_FLAGS=--report        the page from the last run

Each program prints rows "name  value  unit"; all rows go to build/release/workloads/results.csv. A
part that is measured again replaces its own rows. Ways that are compared run in turn, in one run.
Every block of the page between <!-- figures: NAME --> and <!-- end --> is filled; a figure that was
not measured is a dash, and a block whose part never ran is left as it is.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "workloads.md"
PLOTS = ROOT / "docs" / "plots"
PYTHON = os.environ.get("PYTHON", sys.executable)
ROW = re.compile(r"^(\S.*?) {2,}(\S+) {2}(\S+)$")
POLICIES = ("locality", "load-aware", "power-of-two", "round-robin", "random", "static-fill")
PREDICTORS = ("none", "last", "markov", "neighbours", "random", "oracle")
Rows = dict[str, tuple[float, str]]


# ---- running -------------------------------------------------------------------------------------


def run(*words: str | Path) -> Rows:
    """The rows of one program, which are also shown."""
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"experiments: {' '.join(map(str, words[:3]))} ended with {done.returncode}")
    print(done.stdout, end="", flush=True)
    found = (ROW.match(line) for line in done.stdout.splitlines())
    return {m[1]: (float(m[2]), m[3]) for m in found if m}


def has_python() -> bool:
    words = [PYTHON, "-c", "import numpy, plm"]
    return subprocess.run(words, stderr=subprocess.DEVNULL, check=False).returncode == 0


def across() -> int:
    """How many tiles a row of a product has: two tiles of the product for each core at least."""
    tiles = 2
    while tiles * tiles < 2 * (os.cpu_count() or 1):
        tiles *= 2
    return tiles


def matrix(build: Path, quick: bool) -> Rows:
    """Rounds are fewer where each is long, since long rounds differ less."""
    if not (build / "matrix").exists():
        print("left out: the matrices: OpenBLAS is not installed")
        return {}
    rows: Rows = {}
    orders = (256, 512, 1024) if quick else (256, 512, 1024, 2048, 4096)
    for order in orders:
        rounds = "15" if order < 2000 else "7" if order < 4000 else "3"
        rows |= run(build / "matrix", "multiply", str(order), str(order // across()), rounds)
        rows |= run(build / "matrix", "cholesky", str(order), str(max(64, order // 8)), rounds)
    rows |= run(build / "matrix", "classes", "128", "16", "3" if quick else "5")
    if has_python():
        order = 512 if quick else 2048
        rows |= run(PYTHON, HERE / "matrix/matrix.py", "measure", str(order), str(order // 4), "3")
    return rows


def timed(words: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, stdout=subprocess.DEVNULL, env=environment, check=True)
    return (time.perf_counter() - began) * 1e3


def commands(paths: list[str], rounds: int) -> Rows:
    """words.sh in each way, in turn."""
    script = str(HERE / "words" / "words.sh")
    ways = [way for way in ("plm", "parallel", "sort") if way != "parallel" or shutil.which(way)]
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way in ways:
            times[way].append(timed([script, way, *paths], dict(os.environ)))
    rows = {f"commands, words, {way}": (statistics.median(t[1:]), "ms") for way, t in times.items()}
    for name, (value, unit) in rows.items():
        print(f"{name:64}  {value:12.6g}  {unit}", flush=True)
    return rows


def words(build: Path, quick: bool) -> Rows:
    chunks, rounds = ("200", "2") if quick else ("1000", "3")
    rows = run(build / "words", "origin", chunks, "36000", "25")
    rows |= run(build / "words", "measure", chunks, "36000", rounds)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([build / "words", "text", folder, chunks, "36000"], check=True)
        paths = sorted(str(path) for path in Path(folder).glob("*.txt"))
        if has_python():
            rows |= run(PYTHON, HERE / "words/words.py", "measure", rounds, *paths)
        rows |= commands(paths[: 40 if quick else 100], 1 if quick else 3)
    return rows


def pages() -> list[str]:
    """The project's own documentation."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found += sorted(ROOT.glob("*/README.md"))
    return [str(path) for path in found if path != PAGE]


def rag(build: Path, quick: bool) -> Rows:
    rows = run(build / "rag", "measure", "16" if quick else "64", *pages())
    return rows | run(build / "rag", "policies", "6" if quick else "20", *pages())


def llm(_build: Path, quick: bool) -> Rows:
    """SmolLM2, where its packages are installed or can be had."""
    venv = ROOT / "build" / "rag-venv"
    subprocess.run([HERE / "rag" / "install.sh", PYTHON], cwd=ROOT, check=True)
    if not (venv / "wanted").exists() or not has_python():
        print("left out: the language model: its packages, numpy or plm are not installed")
        return {}
    program = HERE / "rag" / "rag.py"
    return run(venv / "bin" / "python", program, "measure", "2" if quick else "8", *pages())


PARTS: dict[str, Callable[[Path, bool], Rows]] = {
    "matrix": matrix,
    "words": words,
    "rag": rag,
    "llm": llm,
}


# ---- results -------------------------------------------------------------------------------------


class Results:
    """All rows, by part."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts: dict[str, Rows] = {}
        self.notes: dict[str, str] = {}
        if path.exists():
            with path.open(newline="") as file:
                for part, name, value, unit in csv.reader(file):
                    if name == "run":
                        self.notes[part] = value
                    else:
                        self.parts.setdefault(part, {})[name] = (float(value), unit)

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="") as file:
            out = csv.writer(file)
            for part, rows in self.parts.items():
                out.writerow((part, "run", self.notes[part], ""))
                out.writerows((part, name, *row) for name, row in rows.items())

    def value(self, name: str) -> float | None:
        for rows in self.parts.values():
            if name in rows:
                return rows[name][0]
        return None

    def ratio(self, over: str, under: str) -> float | None:
        """How many times the first is larger."""
        a, b = self.value(over), self.value(under)
        return a / b if a is not None and b else None

    def names(self, pattern: str) -> list[re.Match[str]]:
        expression = re.compile(pattern)
        matches = (expression.fullmatch(n) for rows in self.parts.values() for n in rows)
        return [m for m in matches if m]


def note(quick: bool) -> str:
    load = os.getloadavg()[0]
    size = ", small sizes" if quick else ""
    today = datetime.date.today().isoformat()
    return f"{today}, {os.cpu_count()} cores, load average {load:.2f} at the start{size}"


def measured(results: Results, part: str, build: Path, quick: bool) -> None:
    """Measures a part, and keeps its rows at once: a later part may fail."""
    text, began = note(quick), time.monotonic()
    rows = PARTS[part](build, quick)
    if rows:
        took = time.monotonic() - began
        print(f"{part}: {took:.0f} s", flush=True)
        results.parts[part] = rows
        results.notes[part] = f"{text}, {took:.0f} s"
        results.write()


# ---- tables --------------------------------------------------------------------------------------


def figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def orders(r: Results) -> list[int]:
    return sorted(int(m[1]) for m in r.names(r"multiply, order (\d+)"))


def chunks_of(r: Results) -> str:
    found = r.names(r"letters, (\d+ chunks of \d+ bytes)")
    return found[0][1] if found else "no chunks"


def loop_share(r: Results, name: str) -> float | None:
    found = r.names(re.escape(name) + r", \d+ chunks, of the loop times cores")
    return r.value(found[0][0]) if found else None


Target = tuple[str, float | None, str, float]
NOT_MEASURED = "not measured"


def targets(r: Results) -> list[Target]:
    letters = f"letters, {chunks_of(r)}"
    packed = f"letters, 8 chunks a task, {chunks_of(r)}"
    python = r.names(r"Python, letters, multiprocessing, \d+ chunks")
    rates = [r.value(f"rag, {name}: tokens") for name in ("none", "markov")]
    slow = rates[0] / rates[1] - 1 if rates[0] and rates[1] else None
    return [
        (
            "multiply, order 2048, of OpenBLAS",
            r.value("multiply, order 2048, of OpenBLAS"),
            ">=",
            0.9,
        ),
        (
            "multiply, order 4096, of OpenBLAS",
            r.value("multiply, order 4096, of OpenBLAS"),
            ">=",
            0.95,
        ),
        ("cholesky, order 2048, of LAPACK", r.value("cholesky, order 2048, of LAPACK"), ">=", 0.8),
        ("cholesky, order 4096, of LAPACK", r.value("cholesky, order 4096, of LAPACK"), ">=", 0.8),
        (
            "letters, 8 chunks of 36 kB a task: multiprocessing's time over that of plm in C",
            r.ratio(python[0][0], packed) if python else None,
            ">=",
            10,
        ),
        (
            "the same, of one loop in C times cores",
            r.value(f"{packed}, of the loop times cores"),
            ">=",
            0.9,
        ),
        (
            "letters, one chunk a task, of one loop in C times cores",
            r.value(f"{letters}, of the loop times cores"),
            ">=",
            0.9,
        ),
        (
            "SmolLM2, first token: shorter by states",
            r.value("llm, one question: shorter by states"),
            ">=",
            30,
        ),
        (
            "SmolLM2, handing a state over, of the prefill",
            r.value("llm, handing a state over, of the prefill"),
            "<=",
            0.02,
        ),
        (
            "a task behind a state, of the state's own prefill",
            r.value("rag, a task behind a state, of the state's own prefill"),
            "<=",
            0.02,
        ),
        (
            "markov: part of the oracle's gain",
            r.value("rag, markov: part of the oracle's gain"),
            ">=",
            0.5,
        ),
        ("foreground slowed by prefetch (markov)", slow, "<=", 0.03),
        (
            "states of all pieces, of the budget",
            r.value("rag, states of all pieces, of the budget"),
            ">=",
            10,
        ),
    ]


def table_targets(r: Results) -> str:
    rows = []
    for name, value, sign, bound in targets(r):
        good = value is not None and (value >= bound if sign == ">=" else value <= bound)
        verdict = NOT_MEASURED if value is None else "met" if good else "**MISSED**"
        rows.append([name, figure(value), f"{sign} {bound:g}", verdict])
    return "\n\n".join(
        [
            *(f"{part}: {r.notes.get(part, NOT_MEASURED)}." for part in PARTS),
            table(["what", "ratio", "target", ""], rows),
        ]
    )


def with_former(new: str, old: str) -> str:
    """Lines of parts that this run did not measure, as they stand on the page."""

    def begin(line: str) -> str:
        return line.split("|")[1] if "|" in line else line.split(":")[0]

    former = {begin(line): line for line in old.splitlines() if line}
    return "\n".join(
        former.get(begin(line), line) if NOT_MEASURED in line else line for line in new.splitlines()
    )


def table_matrix(r: Results) -> str:
    rows = []
    for order in orders(r):
        for what, other, name in (
            ("multiply", "OpenBLAS", "OpenBLAS"),
            ("cholesky", "LAPACK", "LAPACK (OpenBLAS)"),
        ):
            base = f"{what}, order {order}"
            rows.append(
                [
                    base,
                    figure(r.value(base)),
                    f"{figure(r.value(f'{base}, {other}'))} {name}",
                    figure(r.value(f"{base}, of {other}")),
                ]
            )
    for m in r.names(r"(Python, \w+, order \d+), of numpy"):
        ours, theirs = r.value(m[1]), r.value(f"{m[1]}, numpy")
        rows.append(
            [m[1], f"{figure(ours)} ms", f"{figure(theirs)} ms numpy", figure(r.value(m[0]))]
        )
    return table(["", "plm, Gflop/s", "beside", "ratio"], rows)


def table_classes(r: Results) -> str:
    rows = [
        [
            policy,
            figure(r.value(f"classes, {policy}")),
            *(figure(r.value(f"classes, {policy}: tasks of generation {g}")) for g in (4, 3, 2, 1)),
        ]
        for policy in POLICIES
    ]
    head = ["policy", "ms", "GPU, gen 4", "GPU, gen 3", "gen 2", "gen 1"]
    return table(head, rows)


def table_words(r: Results) -> str:
    rows = []
    for m in r.names(r"((?:words|index)[^:]*|letters(?:, \d+ chunks a task)?), (\d+ chunks[^,]*)"):
        loop = r.value(f"{m[0]}, one loop")
        rows.append(
            [
                m[1],
                figure(r.value(m[0])),
                figure(loop),
                figure(r.value(f"{m[0]}, of the loop times cores")),
            ]
        )
    return table(["C", "plm, ms", "one loop, ms", "of the loop times cores"], rows)


def table_words_python(r: Results) -> str:
    rows = []
    for what in ("letters", "count", "index"):
        found = r.names(rf"Python, {what}, (\d+ chunks)")
        if found:
            ways = [
                r.value(f"Python, {what}{w}, {found[0][1]}")
                for w in ("", ", multiprocessing", ", one loop")
            ]
            ratio = ways[1] / ways[0] if ways[0] and ways[1] else None
            rows.append([what, *map(figure, ways), figure(ratio)])
    return table(["Python", "plm, ms", "multiprocessing, ms", "one loop, ms", "times faster"], rows)


def table_words_commands(r: Results) -> str:
    rows = [
        [name, figure(r.value(f"commands, words, {way}"))]
        for way, name in (
            ("plm", "plmctl map"),
            ("parallel", "GNU parallel"),
            ("sort", "one pipeline"),
        )
    ]
    return table(["tr, sort, uniq", "ms"], rows)


def table_rag(r: Results) -> str:
    columns = (
        "first token p50",
        "first token p99",
        "first token mean",
        "tokens",
        "states found",
        "prefetches used",
        "prefetches cancelled",
        "prefetched in vain",
        "states, at most",
        "part of the oracle's gain",
    )
    head = ["", "first token p50, ms", "p99", "mean", "tokens/s", "states found", "prefetches used"]
    head += ["cancelled", "in vain, MB", "states, MB", "of the oracle's gain"]
    names = {"no reuse": "no reuse", "none": "reuse"} | {p: f"reuse, {p}" for p in PREDICTORS[1:]}
    rows = [
        [shown, *(figure(r.value(f"rag, {name}: {column}")) for column in columns)]
        for name, shown in names.items()
    ]
    return table(head, rows)


def table_rag_policies(r: Results) -> str:
    rows = [
        [
            policy,
            figure(r.value(f"rag, policy {policy}: first token mean")),
            figure(r.value(f"rag, policy {policy}: tokens")),
        ]
        for policy in POLICIES
    ]
    return table(["policy", "first token mean, ms", "tokens/s"], rows)


def table_llm(r: Results) -> str:
    columns = ["first token p50", "first token, longest", "first token mean", "tokens"]
    columns += ["states found", "prefetches used", "states, at most"]
    names = {"no reuse": "no reuse", "none": "reuse"}
    names |= {p: f"reuse, {p}" for p in PREDICTORS[1:] if p != "random"}
    head = ["", "first token p50, ms", "longest", "mean", "tokens/s", "states found"]
    rows = [
        [shown, *(figure(r.value(f"llm, {name}: {column}")) for column in columns)]
        for name, shown in names.items()
    ]
    one = [
        [name, f"{figure(r.value(f'llm, {name}'))} {unit}"]
        for name, unit in (
            ("one question: first token, no state", "ms"),
            ("one question: first token, states in the store", "ms"),
            ("one question: shorter by states", "times"),
            ("one question: first token, another question, states of the pieces", "ms"),
            ("another question: shorter by states of the pieces", "times"),
            ("handing a state over, of the prefill", "times"),
            ("a state", "MB"),
        )
    ]
    head += ["prefetches used", "states, MB"]
    return table(["", ""], one) + "\n\n" + table(head, rows)


def table_rag_parts(r: Results) -> str:
    names = (
        "rag, pieces",
        "rag, boot, pieces, vectors, lists",
        "rag, exact search",
        "rag, search in lists",
        "rag, search in lists: hits of the exact search",
        "rag, one question: first token, no state",
        "rag, one question: first token, states in the store",
    )
    units = {name: row[1] for rows in r.parts.values() for name, row in rows.items()}
    rows = [[name[5:], f"{figure(r.value(name))} {units.get(name, '')}"] for name in names]
    return table(["", ""], rows)


TABLES: dict[str, tuple[str, Callable[[Results], str]]] = {
    "targets": ("", table_targets),
    "matrix": ("matrix", table_matrix),
    "classes": ("matrix", table_classes),
    "words": ("words", table_words),
    "words_python": ("words", table_words_python),
    "words_commands": ("words", table_words_commands),
    "rag": ("rag", table_rag),
    "rag_parts": ("rag", table_rag_parts),
    "rag_policies": ("rag", table_rag_policies),
    "llm": ("llm", table_llm),
}


def fill(text: str, r: Results) -> str:
    def block(match: re.Match[str]) -> str:
        part, make = TABLES[match[1]]
        if part and part not in r.parts:
            return match[0]
        made = make(r) if part else with_former(make(r), match[0])
        return f"<!-- figures: {match[1]} -->\n{made}\n<!-- end -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- end -->", block, text, flags=re.S)


# ---- plots ---------------------------------------------------------------------------------------

STYLE = """set terminal svg size 820,420 font 'sans,13' background 'white'
set output '{out}'
set grid lc rgb '#dddddd'
set border 3
set tics nomirror
"""


def gnuplot(name: str, script: str, data: str) -> None:
    text = f"$data << EOD\n{data}\nEOD\n" + STYLE.format(out=PLOTS / f"{name}.svg") + script
    if subprocess.run(["gnuplot"], input=text, text=True, check=False).returncode:
        print(f"experiments: gnuplot failed: {name}", file=sys.stderr)


def bars(name: str, title: str, rows: list[tuple[str, float | None]]) -> None:
    lines = [f'"{label}" {value}' for label, value in rows if value is not None]
    if lines:
        gnuplot(
            name,
            f"set title '{title}'\nunset key\nset style fill solid 0.8\nset boxwidth 0.6\n"
            "set yrange [0:*]\nset xtics rotate by -20\n"
            "plot $data using 0:2:xtic(1) with boxes lc rgb '#3465a4'\n",
            "\n".join(lines),
        )


def plot(r: Results) -> None:
    if not shutil.which("gnuplot"):
        print("experiments: gnuplot is not installed: no plots")
        return
    lines = [
        f"{n} {r.value(f'multiply, order {n}, of OpenBLAS')} "
        f"{r.value(f'cholesky, order {n}, of LAPACK')}"
        for n in orders(r)
    ]
    if lines:
        gnuplot(
            "workload-matrix",
            "set title 'speed of plm beside OpenBLAS with a thread for each core'\n"
            "set logscale x 2\nset yrange [0:*]\nset xlabel 'order of the matrix'\n"
            "set key bottom right\n"
            "plot $data using 1:2 with linespoints lw 2 title 'multiply', "
            "$data using 1:3 with linespoints lw 2 title 'Cholesky'\n",
            "\n".join(lines),
        )
    letters = f"letters, {chunks_of(r)}"
    python = r.names(r"Python, letters(|, multiprocessing|, one loop), \d+ chunks")
    bars(
        "workload-words",
        "letters of a text in chunks of 36 kB, ms",
        [
            ("plm, C", r.value(letters)),
            ("plm, C, 8 a task", r.value(f"letters, 8 chunks a task, {chunks_of(r)}")),
            ("one loop, C", r.value(f"{letters}, one loop")),
            *((m[1].strip(", ") or "plm, Python", r.value(m[0])) for m in python),
        ],
    )
    ways = [("no reuse", "no reuse"), ("reuse", "none"), *((p, p) for p in PREDICTORS[1:])]
    bars(
        "workload-rag",
        "time to the first token, mean, ms",
        [(shown, r.value(f"rag, {name}: first token mean")) for shown, name in ways],
    )


# ---- the program ---------------------------------------------------------------------------------


def main() -> None:
    given = argparse.ArgumentParser()
    given.add_argument("--build", type=Path, default=ROOT / "build/release/workloads")
    given.add_argument("--quick", action="store_true")
    given.add_argument("--only", choices=PARTS)
    given.add_argument("--report", action="store_true")
    options = given.parse_args()
    results = Results(options.build / "results.csv")
    for part in PARTS:
        if not options.report and options.only in (None, part):
            measured(results, part, options.build, options.quick)
    PAGE.write_text(fill(PAGE.read_text(), results))
    plot(results)


if __name__ == "__main__":
    main()
