#!/usr/bin/env python3
"""crash_report.py - writes the counts of the last `make crash` into docs/reliability.md.

A line of a sweep is `NAME  N points  N states  N double faults  N s  ok`. The table of the page
stands between two marks and is rewritten; the text around it is not.
"""

import glob
import re
import sys

PAGE = "docs/reliability.md"
LOGS = "build/logs/crash/*.log"
LINE = re.compile(r"^(.+?)\s+(\d+) points\s+(\d+) states\s+(\d+) double faults\s+([\d.]+) s\s+(\w+)$")
HOW = {"steps": "each shared step, and each step of the recovery", "release": "machine instructions"}


def read(path):
    """(operations, points, states, double faults, seconds, failed) of one program."""
    sums = [0, 0, 0, 0, 0.0, 0]
    with open(path, errors="replace") as file:
        for found in filter(None, map(LINE.match, file)):
            sums[0] += 1
            for i in range(3):
                sums[i + 1] += int(found[i + 2])
            sums[4] += float(found[5])
            sums[5] += found[6] != "ok"
    return sums


def table():
    rows, totals = [], {}
    for path in sorted(glob.glob(LOGS)):
        variant, name = path.rsplit("/", 1)[1][:-4].split("-", 1)
        sums = read(path)
        if not sums[0]:
            continue
        rows.append((name, variant, sums))
        totals[variant] = [a + b for a, b in zip(totals.get(variant, [0] * 6), sums)]
    lines = [
        "| sweep | killed at | operations | kill points | distinct states | double faults | s |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, variant, s in rows + [("all", v, s) for v, s in sorted(totals.items())]:
        lines.append(
            f"| {name} | {HOW.get(variant, variant)} | {s[0]} | {s[1]:,} | {s[2]:,} | {s[3]:,} | "
            f"{s[4]:.0f} |" + (f" **{s[5]} FAILED**" if s[5] else "")
        )
    return lines if rows else []


def main():
    lines = table()
    if not lines:
        print(f"crash_report: {LOGS} has no sweep: run `make crash` first", file=sys.stderr)
        return 1
    with open(PAGE) as file:
        page = file.read()
    begin, end = "<!-- sweeps -->\n", "<!-- end -->"
    head, rest = page.split(begin, 1)
    with open(PAGE, "w") as file:
        file.write(head + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
