#!/usr/bin/env python3
"""sim_report.py - makes the tables of docs/scheduling.md from the rows of bench/sim.

    python3 bench/sim_report.py [CSV] [COST_CSV] [PAGE]

Defaults: build/bench/sim.csv, build/bench/sim_cost.csv, docs/scheduling.md. Fills the blocks of the
page as report.py does; text outside of them is left as it is.
"""

import csv
import sys

from report import fill, table
from targets import figure

HEAD = [
    "",
    "wait p50, us",
    "p99",
    "arrival to end p50, us",
    "p99",
    "balance",
    "most at a worker",
    "most waiting",
]
COLUMNS = "wait_p50_us wait_p99_us stay_p50_us stay_p99_us balance".split()
COUNTS = "most waiting".split()


def short(text):
    return figure(float(text)) if text and float(text) else "0"


class Rows:
    def __init__(self, path, cost_path):
        with open(path, newline="") as file:
            self.sim = list(csv.DictReader(file))
        with open(cost_path, newline="") as file:
            self.cost = list(csv.DictReader(file))

    def of(self, case):
        return [row for row in self.sim if row["case"] == case]


def compared(rows, case, head=(), columns=()):
    cells = [
        [
            row["policy"],
            *(short(row[column]) for column in COLUMNS),
            *(f"{int(row[column]):,}" for column in COUNTS),
            *(short(row[column]) for column in columns),
        ]
        for row in rows.of(case)
    ]
    return table([*HEAD, *head], cells)


def table_bytes(rows):
    return compared(rows, "bytes", ["ran elsewhere"], ["moved"])


def table_balls(rows):
    return table(["", "most at a worker"], [[r["policy"], short(r["most"])] for r in rows.of("balls")])


def table_cost(rows):
    workers = list(dict.fromkeys(row["workers"] for row in rows.cost))
    names = list(dict.fromkeys(row["policy"] for row in rows.cost))
    ns = {(row["policy"], row["workers"]): float(row["ns"]) for row in rows.cost}
    head = ["ns a decision", *(f"{int(n):,} workers" for n in workers), "most / fewest"]
    cells = [
        [
            name,
            *(f"{ns[name, n]:.1f}" for n in workers),
            f"{ns[name, workers[-1]] / ns[name, workers[0]]:.2f} x",
        ]
        for name in names
    ]
    return table(head, cells)


TABLES = {
    "alike": lambda rows: compared(rows, "alike"),
    "generations": lambda rows: compared(rows, "generations"),
    "generations_queued": lambda rows: compared(rows, "generations in one queue"),
    "tails": lambda rows: compared(rows, "heavy tails"),
    "bytes": table_bytes,
    "balls": table_balls,
    "cost": table_cost,
}


def main():
    given = sys.argv[1:]
    usual = ["build/bench/sim.csv", "build/bench/sim_cost.csv", "docs/scheduling.md"]
    path, cost_path, page = given + usual[len(given) :]
    with open(page) as file:
        text = fill(file.read(), Rows(path, cost_path), TABLES)
    with open(page, "w") as file:
        file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
