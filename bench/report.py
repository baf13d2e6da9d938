#!/usr/bin/env python3
"""report.py - makes the table of targets and docs/performance.md from the rows of a run.

    python3 bench/report.py [CSV] [PAGE...]    (build/bench/results.csv, docs/performance.md,
                                               docs/watching.md)

Fills every block of the pages between <!-- figures: NAME --> and <!-- end --> with the table of that
name, and draws docs/plots/*.svg with gnuplot. Text outside of the blocks is left as it is. A figure
that was not measured is a dash; a block whose part of the bench did not run is left as it is, so
that a run of one part (`make bench BENCH_FLAGS='--only graphs'`) brings that part up to date.
"""

import os
import re
import subprocess
import sys

from executors import STEPS
from targets import (
    CROWDS,
    LENGTHS,
    TARGET_HEAD,
    figure,
    metg,
    read_rows,
    targets,
    targets_of_graphs,
    targets_of_python,
)

QUEUES = (
    "plm",
    "Redis list",
    "gearman",
    "beanstalkd",
    "ProcessPoolExecutor",
    "loky",
    "Dask LocalCluster",
    "Ray",
    "Celery",
)
POOLS = ("plm", "ProcessPoolExecutor", "loky", "mpire", "Dask LocalCluster", "Ray")
RUNTIMES = ("plm", "OpenMP", "StarPU", "MPI")
GRAPHS = ("trivial", "chain", "stencil", "nearest", "spread", "fft", "tree", "random")
SIZES = ("1 B", "32 B", "1 KiB", "64 KiB", "1 MiB", "64 MiB", "1 GiB")
HANDED = ("1 B", "1 KiB", "64 KiB", "1 MiB", "64 MiB", "1 GiB")
HANDS = (
    "plm, put",
    "plm, written in place",
    "pipe",
    "unix socket",
    "Redis list",
    "ProcessPoolExecutor",
    "Ray",
)


# ---- tables of the page --------------------------------------------------------------------------


def table(head, rows):
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines)


def targets_page(run, rows):
    bold = [[*row[:-1], f"**{row[-1]}**" if row[-1] == "MISSED" else row[-1]] for row in rows]
    return f"{run.machine()}\n\n" + table(TARGET_HEAD, bold)


def table_targets(run):
    return targets_page(run, targets(run))


def table_machine_targets(run):
    return targets_page(run, targets_of_graphs(run))


def table_python_targets(run):
    return targets_page(run, targets_of_python(run))


def table_limits(run):
    names = [row for (program, _), row in run.rows.items() if program == "bench_limits"]
    rows = [
        [row["name"], f"{figure(float(row['value']))} {row['unit']}"]
        for row in names
        if not row["name"].startswith(" ")
    ]
    return table(["limit", "value"], rows)


def table_peers(run):
    columns = ("many", "each", "hot p50", "hot p99", "idle p50", "idle p99", "boot")
    head = [
        "",
        "many, /s",
        "each, /s",
        "trip p50, us",
        "p99",
        "from idle p50, us",
        "p99",
        "boot, ms",
    ]
    return table(head, [[name, *(figure(run.peer(name, c)) for c in columns)] for name in QUEUES])


def table_python(run):
    columns = ("trip p50", "trip p99", "small", "chunks", "argument", "result", "boot", "import")
    head = [
        "two workers",
        "submit to result, p50, us",
        "p99",
        "submitted one by one, /s",
        "map(chunksize=1000), /s",
        "64 MiB array, argument, us a task",
        "64 MiB array, result, us",
        "first result, ms",
        "import, ms",
    ]
    rows = [
        [name, *(figure(run.value("python", f"{name}: {c}")) for c in columns)] for name in POOLS
    ]
    rows.append(["ProcessPoolExecutor, forkserver"] + ["-"] * len(columns))
    rows[-1][7] = figure(run.value("python", "ProcessPoolExecutor, forkserver: boot"))
    return table(head, rows)


def table_python_where(run):
    return table(
        ["a small task", "us"],
        [[step, figure(run.value("python", f"step: {step}"))] for step in STEPS],
    )


def table_missing(run):
    rows = [name for _, name in run.rows if name.endswith(": missing")]
    return (
        "Missing in this run: "
        + (", ".join(name[:-9] for name in rows) if rows else "none")
        + "."
    )


def graph_cell(run, name, pattern, width):
    value, peak = metg(run, name, pattern, width), metg(run, name, pattern, f"{width}, peak")
    return f"{figure(value)} ({peak:.2f})" if value and peak else "-"


def table_graphs(run):
    rows = [
        [f"{pattern}, width {width}", *(graph_cell(run, name, pattern, width) for name in RUNTIMES)]
        for width in (2, 8)
        for pattern in GRAPHS
    ]
    return table(["METG(50 %), us (peak)", *RUNTIMES], rows)


WAYS = ("plm", "plm, submitted before", "OpenMP", "StarPU", "MPI")


def table_graphs_machine(run):
    rows = [
        [
            f"{pattern}, width {width}",
            *(figure(metg(run, way, pattern, f"{width}, of the machine")) for way in WAYS),
        ]
        for width in (2, 8, 64)
        for pattern in ("trivial", "stencil", "nearest", "spread", "fft")
    ]
    return table(["METG of the machine, us", *WAYS], rows)


def overhead(run, way):
    prefix = f"{way}: overhead of a task of "
    return [
        (float(key[len(prefix) : -3]), float(row["value"]))
        for (program, key), row in run.rows.items()
        if program == "crowd" and key.startswith(prefix)
    ]


def table_overhead(run):
    curves = {way: dict(overhead(run, way)) for way in WAYS}
    rows = [
        [f"{us:g} us", *(figure(curves[way].get(us)) for way in WAYS)]
        for us in sorted(curves["plm"])
    ]
    return table(["length of a task: overhead, us", *WAYS], rows)


def table_crowd(run):
    ways = ("plm", "plm, 16 workers", "plm, 64 workers")
    rows = [
        [
            f"{pattern} of {us} us",
            *(figure(run.value("crowd", f"{way}: {pattern} of {us} us, crowd")) for way in ways),
            "-",
        ]
        for pattern, us in CROWDS
    ]
    name = "stencil of 16 us, beside busy processes"
    busy = [run.value("crowd", f"{way}: {name}") for way in ("plm", "OpenMP")]
    rows.append([name, figure(busy[0]), "-", "-", figure(busy[1])])
    return table(["us a task", "2 workers", "16 workers", "64 workers", "OpenMP"], rows)


def table_objects(run):
    rows = [
        [size, *(figure(run.value("objects", f"{name}: {size}")) for name in HANDS)]
        for size in HANDED
    ]
    return table(["us", *HANDS], rows)


def table_sizes(run):
    steps = ("memcpy", "put", "create, seal", "get, again", "worker to worker")
    return table(
        ["us", *steps], [[s, *(figure(run.plm(f"{x}, {s}")) for x in steps)] for s in SIZES]
    )


def table_queue(run):
    names = (
        "submit in a batch",
        "submit alone",
        "scheduler, CPU a task",
        "submitting and queueing",
    )
    rows = [[name, *(figure(run.plm(f"{name}, {n} queued")) for n in LENGTHS)] for name in names]
    return table(["ns a task", *(f"{n:,} queued" for n in LENGTHS)], rows)


def table_scale(run):
    rows = []
    for clients in (1, 2, 4, 64):
        for workers in (1, 2, 4, 256):
            name = f"{clients} client{'s' * (clients > 1)}, {workers} worker{'s' * (workers > 1)}"
            if run.plm(name) is not None:
                rows.append([name, figure(run.plm(name)), figure(run.plm(name, "ratio"))])
    return table(["", "million tasks a second", "of 1 client, 2 workers"], rows)


def table_flow(run):
    names = (
        "tasks, batches of 10000",
        "tasks, batches of 1000",
        "tasks, one call each",
        "tasks, 4 threads, batches of 1000",
        "bare pipeline, items",
    )
    return table(
        ["no-op tasks", "million a second"], [[name, figure(run.plm(name))] for name in names]
    )


COST_ROWS = (
    "submit",
    "wait",
    "drop",
    "CPU of the client",
    "CPU of the scheduler",
    "CPU of the workers",
    "CPU of the manager",
    "sleeps of the client",
    "sleeps of the scheduler",
    "sleeps of the workers",
)


def table_cost(run):
    ways = ("batches of 1000", "batches of 10", "one at a time")
    rows = [
        [
            name + ("" if "sleeps" in name else ", ns"),
            *(figure(run.plm(f"{w}: {name}")) for w in ways),
        ]
        for name in COST_ROWS
    ]
    return table(["a task", *ways], rows)


def table_map(run):
    names = ("map of 1,000, awaited", "map of 1,000 and one reduce")
    return table(["", "us"], [[name, figure(run.plm(name))] for name in names])


def table_watched(run):
    """What the event log costs while somebody watches."""
    rows = []
    for name in ("tasks", "trip back to back", "trip from idle"):
        off, on = (run.plm(f"{name}, log {state}") for state in ("off", "on"))
        unit = run.rows.get(("bench_plm", f"{name}, log off"), {}).get("unit", "")
        ratio = f"{on / off:.3f}" if off and on else "-"
        rows.append([f"{name}, {unit}".rstrip(", "), figure(off), figure(on), ratio])
    return table(["no-op tasks", "log off", "log on", "ratio"], rows)


def table_top(run):
    """What plmctl top costs."""
    names = (
        "first frame",
        "1,000 workers, 1,000,000 tasks",
        "workers shown, at full flow",
        "functions shown, at full flow",
        "the flow meanwhile",
    )
    rows = []
    for name in names:
        unit = run.rows.get(("bench_plm", f"plmctl top, {name}"), {}).get("unit", "")
        unit = {"%": "% of a core", "1/s": "tasks/s"}.get(unit, unit)
        rows.append([name, f"{figure(run.plm(f'plmctl top, {name}'))} {unit}".strip()])
    return table(["plmctl top", ""], rows)


def table_commands(run):
    names = ("plm", "plmctl map", "xargs -P2 -n1", "GNU parallel -j2", "task-spooler")
    rows = []
    for name in names:
        value = run.value("commands", f"{name}: commands")
        of_plm = run.value("commands", f"{name}: commands", "ratio")
        if value is not None:
            rows.append([name, figure(value), f"{figure(of_plm)} x" if of_plm else "-"])
    floor = run.plm("posix_spawn, wait: /bin/true, two at once")
    rows.append(["posix_spawn, wait", figure(floor), "-"])
    return table(["/bin/true many times, two at a time", "us each", "beside plm"], rows)


def table_command(run):
    names = (
        "posix_spawn, wait: /bin/true",
        "a command, submit to end",
        "sh -c /bin/true",
        "plmctl submit -- /bin/true",
    )
    return table(["/bin/true, one at a time", "us"], [[n, figure(run.plm(n))] for n in names])


def table_recovery(run):
    locks = (
        "lock of the task heap",
        "CPU of the waiter",
        "lock of the record pool",
        "lock of the store arena",
        "all that is derived",
    )
    rows = []
    for n in (10000, 1000000):
        for name in (f"{what}, {n} live" for what in locks):
            rows.append([name, f"{figure(run.value('bench_locks', name))} ms"])
    for name in (
        "from a kill to the next start",
        "from the scheduler's death to the next start",
        "from the scheduler's death to the next value",
        "tasks, the manager lives",
        "tasks, from the manager's death on",
        "a task's trip, the manager lives",
        "a task's trip, the manager is dead",
        "until the next manager is ready",
        "under a guard, until a client can join",
    ):
        unit = run.rows.get(("bench_plm", name), {}).get("unit", "")
        rows.append([name, f"{figure(run.plm(name))} {unit}".strip()])
    return table(["after a death", ""], rows)


def table_idle(run):
    what = ("CPU time", "wake-ups", "resident")
    members = ("manager", "scheduler", "worker 1", "worker 2")
    rows = [[m, *(figure(run.plm(f"{m}, {w}")) for w in what)] for m in members]
    return table(["", "CPU, us a second", "wake-ups a second", "resident, MB"], rows)


TABLES = {name[6:]: of for name, of in list(globals().items()) if name.startswith("table_")}


PROGRAMS = {
    "graphs": "graphs",
    "graphs_machine": "graphs",
    "machine_targets": "graphs",
    "overhead": "crowd",
    "crowd": "crowd",
    "python": "python",
    "python_targets": "python",
    "python_where": "python",
    "limits": "bench_limits",
    "peers": "peers",
    "missing": "peers",
    "objects": "objects",
    "commands": "commands",
}


def with_former(new, old):
    """The table of targets, with the lines on the page for what this run did not measure."""

    def what(line):
        return line.split("|")[1] if "|" in line else line

    def key(line):  # some rows differ in what stands beside alone
        return what(line) + re.sub(r"[\d.,]+|-", "", line.split("|")[3]) if "|" in line else line

    def is_missing(line):
        return re.match(r"\|[^|]*\| - ", line) or "not measured" in line

    rows = old.splitlines()
    former = {what(row): row for row in rows if sum(what(r) == what(row) for r in rows) == 1}
    former |= {key(row): row for row in rows}
    lines = [
        former.get(key(line), former.get(what(line), line)) if is_missing(line) else line
        for line in new.splitlines()
    ]
    if any(map(is_missing, new.splitlines())):
        lines[0] = rows[1]  # its day and machine: most rows are of that run
    return "\n".join(lines)


def fill(text, run, tables):
    ran = {program for program, _ in run.rows}

    def block(match):
        if match[1] == "targets":
            made = with_former(tables["targets"](run), match[0])
            return f"<!-- figures: targets -->\n{made}\n<!-- end -->"
        if PROGRAMS.get(match[1], "bench_plm") not in ran:
            return match[0]
        return f"<!-- figures: {match[1]} -->\n{tables[match[1]](run)}\n<!-- end -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- end -->", block, text, flags=re.S)


# ---- plots ---------------------------------------------------------------------------------------

STYLE = """set terminal svg size 820,420 font 'sans,13' background 'white'
set output '{out}'
set grid lc rgb '#dddddd'
set key outside right top
set border 3
set tics nomirror
"""


def gnuplot(out, script, blocks):
    data = "".join(f"${name} << EOD\n{lines}\nEOD\n" for name, lines in blocks.items())
    code = subprocess.run(
        ["gnuplot"], input=data + STYLE.format(out=out) + script, text=True, check=False
    ).returncode
    if code:
        print(f"bench: gnuplot ended with {code}: {out}", file=sys.stderr)


def plot_bars(out, title, rows):
    rows = [(name, value) for name, value in rows if value]
    lines = "\n".join(f'"{name}" {value}' for name, value in rows)
    if rows:
        script = f"""set title '{title}'
unset key
set logscale y
set style fill solid 0.8
set boxwidth 0.6
set xtics rotate by -30
set yrange [{min(v for _, v in rows) / 3}:{max(v for _, v in rows) * 3}]
plot $data using 0:2:xtic(1) with boxes lc rgb '#3465a4'
"""
        gnuplot(out, script, {"data": lines})


def plot_lines(out, title, lines, labels, ranges=""):
    """lines: name -> [(x, y)]."""
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return
    blocks = {
        f"l{i}": "\n".join(f"{x} {y}" for x, y in points)
        for i, points in enumerate(lines.values())
    }
    plots = ", ".join(
        f"$l{i} using 1:2 with linespoints lw 2 title '{name}'" for i, name in enumerate(lines)
    )
    script = f"set title '{title}'\nset xlabel '{labels[0]}'\nset ylabel '{labels[1]}'\n{ranges}"
    gnuplot(out, script + f"plot {plots}\n", blocks)


def efficiency(run, name, width):
    prefix = f"{name}: stencil, width {width}, efficiency at "
    return [
        (float(key[len(prefix) : -3]), float(row["value"]))
        for (program, key), row in run.rows.items()
        if program == "graphs" and key.startswith(prefix)
    ]


def plot_all(run, folder):
    os.makedirs(folder, exist_ok=True)
    rates = [(n, run.peer(n, "many")) for n in QUEUES]
    plot_bars(f"{folder}/rates.svg", "no-op tasks a second, in the best way for many", rates)
    plot_bars(
        f"{folder}/trips.svg",
        "round trip back to back, p50, us",
        [(n, run.peer(n, "hot p50")) for n in QUEUES],
    )
    plot_bars(
        f"{folder}/boot.svg",
        "start to first result, ms",
        [(n, run.peer(n, "boot")) for n in QUEUES],
    )
    for width in (2, 8):
        plot_lines(
            f"{folder}/stencil-{width}.svg",
            f"stencil, width {width}, 1,000 steps: useful part of two cores",
            {name: efficiency(run, name, width) for name in RUNTIMES},
            ("length of a task, us", "efficiency"),
            "set logscale x\nset yrange [0:1.05]\n",
        )
    plot_lines(
        f"{folder}/overhead.svg",
        "stencil, width 8: core time beyond the work, all processes",
        {way: overhead(run, way) for way in WAYS},
        ("length of a task, us", "us a task"),
        "set logscale x\nset yrange [0:*]\n",
    )
    in_bytes = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    handed = {}
    for name in HANDS:
        for size in HANDED:
            value = run.value("objects", f"{name}: {size}")
            if value:
                number, unit = size.split()
                handed.setdefault(name, []).append((int(number) * in_bytes[unit], value))
    plot_lines(
        f"{folder}/objects.svg",
        "until another process has looked at the bytes",
        handed,
        ("bytes", "us"),
        "set logscale xy\n",
    )
    queued = {
        name: [
            (n, run.plm(f"{name}, {n} queued")) for n in LENGTHS if run.plm(f"{name}, {n} queued")
        ]
        for name in ("submit in a batch", "submit alone", "scheduler, CPU a task")
    }
    plot_lines(
        f"{folder}/queue.svg",
        "a task behind a queue",
        queued,
        ("tasks that wait", "ns a task"),
        "set logscale x\nset yrange [0:*]\n",
    )


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "build/bench/results.csv"
    every = ["docs/performance.md", "docs/watching.md"]
    pages = sys.argv[2:] or every
    run = read_rows(path)
    for page in pages:
        with open(page) as file:
            text = file.read()
        with open(page, "w") as file:
            file.write(fill(text, run, TABLES))
    if every[0] in pages:
        plot_all(run, "docs/plots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
