#!/usr/bin/env python3
"""load_matrix.py - 1 to 4 workers by 1 to 4 clients, 5 calls each, beside the physical limit.

    load_matrix.py [--plm DIRECTORY] [--module bench.so] [--out DIRECTORY] [--length MS] [--calls N]
                   [--most N]

An early pool of RPC workers published this experiment with three cells beyond the physical limit:
workers were booked twice. So each cell here is judged by the event log of its runtime:

* sleeping tasks: W workers end at most W tasks in the length of a task;
* busy tasks burn processor time, so the cores are a limit, too;
* a client makes its calls one after another, so C clients are the third limit;
* no worker process runs two tasks at a time.

Throughput is tasks / (last end - first submission). Turnaround is the mean from submission to end.
Writes the tables and recordings of each cell, and the plots, into build/load-matrix. Exit code 1 if
a cell exceeds its limit.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import threading

KINDS = {"sleeping": "probe.sleep", "busy": "bench.burn"}


class Cell:
    def __init__(self, kind, workers, clients, rows, options):
        self.kind, self.workers, self.clients = kind, workers, clients
        self.tasks = options.calls * clients
        self.rows = rows
        begin = min(float(row["submitted_s"]) for row in rows)
        self.elapsed = max(float(row["end_s"]) for row in rows) - begin
        self.throughput = self.tasks / self.elapsed
        self.turnaround = sum(
            float(row["end_s"]) - float(row["submitted_s"]) for row in rows
        ) / len(rows)
        self.limit = self.tasks / self.least(options)

    def least(self, options):
        """Seconds that the tasks of the cell need at least."""
        length = options.length / 1000
        least = max(options.calls, math.ceil(self.tasks / self.workers)) * length
        if self.kind == "busy":
            least = max(least, self.tasks * length / options.cores)
        return least

    def doubly_booked(self):
        """Pairs of tasks that ran in the same process at the same time."""
        ends, pairs = {}, 0
        for row in sorted(self.rows, key=lambda row: float(row["start_s"])):
            pairs += float(row["start_s"]) < ends.get(row["process"], 0)
            ends[row["process"]] = float(row["end_s"])
        return pairs

    def findings(self, options):
        where = f"{self.kind}, {self.workers} workers, {self.clients} clients"
        if len(self.rows) != self.tasks or any(row["ended"] != "done" for row in self.rows):
            yield f"{where}: {len(self.rows)} runs of {self.tasks} tasks, not all of them done"
        if self.throughput > self.limit:
            yield f"{where}: {self.throughput:.4f} tasks/s exceed the limit {self.limit:.4f}"
        if self.doubly_booked():
            yield f"{where}: {self.doubly_booked()} times a process ran two tasks at once"


class Runtime:
    """A runtime of its own for each cell."""

    def __init__(self, options, workers):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="plm-load-matrix.")
        self.environment = dict(
            os.environ, PLM_NAME=f"load-matrix-{os.getpid()}", XDG_RUNTIME_DIR=self.directory
        )
        self.run("plm", "--daemon", "--workers", str(workers), "--events", "on", "--module",
                 options.module)

    def run(self, program, *words):
        subprocess.run([os.path.join(self.options.plm, program), *words], check=True,
                       env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def client(self, function):
        for _ in range(self.options.calls):
            self.run("plmctl", "call", function, str(self.options.length))

    def stop(self):
        self.run("plmctl", "stop", "--now")
        subprocess.run(["rm", "-rf", self.directory], check=True)


def measure(kind, workers, clients, options):
    stem = os.path.join(options.out, f"{kind}-{workers}-workers-{clients}-clients")
    runtime = Runtime(options, workers)
    try:
        threads = [
            threading.Thread(target=runtime.client, args=(KINDS[kind],)) for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        runtime.run("plmctl", "trace", stem + ".plmrec")
    finally:
        runtime.stop()
    runtime.run("plmctl", "plot", "--from", stem + ".plmrec", "--csv", stem)
    with open(os.path.join(stem, "runs.csv"), newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["function"] == KINDS[kind]]
    return Cell(kind, workers, clients, rows, options)


# ---- the table ---------------------------------------------------------------------------------


def print_table(kind, cells, options):
    print(f"\n{kind} tasks of {options.length} ms, {options.calls} calls a client"
          + (f", {options.cores} cores" if kind == "busy" else ""))
    print("workers clients   tasks/s     limit   of it   turnaround")
    for cell in cells:
        print(f"{cell.workers:7} {cell.clients:7} {cell.throughput:9.3f} {cell.limit:9.3f}"
              f" {100 * cell.throughput / cell.limit:6.1f} % {cell.turnaround:9.3f} s")


def write_table(cells, options):
    path = os.path.join(options.out, "matrix.csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow("kind workers clients tasks elapsed_s tasks_per_s limit_per_s share "
                        "turnaround_s".split())
        for c in cells:
            writer.writerow([c.kind, c.workers, c.clients, c.tasks, f"{c.elapsed:.6f}",
                             f"{c.throughput:.6f}", f"{c.limit:.6f}",
                             f"{c.throughput / c.limit:.6f}", f"{c.turnaround:.6f}"])


# ---- the plots ---------------------------------------------------------------------------------


def grid_script(cells, options):
    yield "set encoding utf8\nset multiplot layout 1,2 margins 0.07,0.97,0.13,0.86 spacing 0.09"
    yield "set palette defined (0 '#ffffff', 1 '#56B4E9')\nset cbrange [0:1]\nunset colorbox"
    yield f"set xrange [0.5:{options.most}.5]\nset yrange [0.5:{options.most}.5]"
    yield "set xtics 1 out nomirror\nset ytics 1 out nomirror\nset xlabel 'clients'"
    yield "set ylabel 'workers'\nunset key"
    for kind in KINDS:
        yield f"$grid_{kind} << END"
        for c in cells:
            if c.kind == kind:
                yield (f"{c.clients} {c.workers} {c.throughput / c.limit:.4f} "
                       f"{c.throughput:.2f}/s {100 * c.throughput / c.limit:.0f}%")
        yield "END"
        yield (f"set title '{kind} tasks of {options.length} ms: tasks/s, and share of the "
               "physical limit'")
        yield (f"plot $grid_{kind} using 1:2:3 with image, '' using 1:($2+0.12):4 with labels, "
               "'' using 1:($2-0.16):5 with labels textcolor '#444444'")


def draw(cells, options):
    terminals = {
        "svg": "set terminal svg size 1100,480 noenhanced font 'sans-serif,12' background "
               "'#ffffff'",
        "png": "set terminal pngcairo size 1100,480 noenhanced font 'sans,10' background "
               "'#ffffff'",
    }
    for suffix, terminal in terminals.items():
        path = os.path.join(options.out, f"workers-clients.{suffix}")
        script = "\n".join([terminal, f"set output '{path}'", *grid_script(cells, options)])
        subprocess.run(["gnuplot"], input=script + "\n", text=True, check=True)
    for kind in KINDS:
        stem = f"{kind}-{options.most}-workers-{options.most}-clients"
        for part in ("busy", "throughput", "running"):
            subprocess.run(
                [os.path.join(options.plm, "plmctl"), "plot", "--only", part, "--from",
                 os.path.join(options.out, stem + ".plmrec"),
                 os.path.join(options.out, f"{kind}-{part}.svg")], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--plm", default=".")
    parser.add_argument("--module", default="build/release/bench/bench.so")
    parser.add_argument("--out", default="build/load-matrix")
    parser.add_argument("--length", type=int, default=200)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--most", type=int, default=4)
    options = parser.parse_args()
    options.cores = len(os.sched_getaffinity(0))
    os.makedirs(options.out, exist_ok=True)
    cells, sizes = [], range(1, options.most + 1)
    for kind in KINDS:
        of_kind = [measure(kind, w, c, options) for w in sizes for c in sizes]
        print_table(kind, of_kind, options)
        cells += of_kind
    write_table(cells, options)
    draw(cells, options)
    findings = [finding for cell in cells for finding in cell.findings(options)]
    for finding in findings:
        print(f"load_matrix: {finding}")
    print(f"\n{len(cells)} cells, {len(findings)} beyond the limit; tables and plots in "
          f"{options.out}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
