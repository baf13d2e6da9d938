"""targets.py - reads the rows of results.csv and prints the table of targets."""

import csv
import os

import streams

COLUMNS = (
    "started program cores load name value unit low high limit_name limit ratio target verdict"
).split()
LENGTHS = (10000, 1000000, 10000000)


# ---- figures -------------------------------------------------------------------------------------


def figure(value):
    """A measurement on a machine with other load is worth four digits at most."""
    if value is None:
        return "-"
    size = abs(value)
    if size >= 1000 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 100 else f"{value:.2f}" if size >= 10 else f"{value:.3f}"


def bytes_text(size):
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size} {unit}"
        size //= 1024
    return ""


class Run:
    """The last row of each name."""

    def __init__(self, path):
        self.rows = {}
        if os.path.exists(path):
            with open(path, newline="") as file:
                for row in csv.DictReader(file):
                    self.rows[row["program"], row["name"]] = row

    def value(self, program, name, column="value"):
        text = self.rows.get((program, name), {}).get(column)
        return float(text) if text else None

    def plm(self, name, column="value"):
        return self.value("bench_plm", name, column)

    def peer(self, name, what):
        return self.value("peers", f"{name}: {what}")

    def machine(self):
        row = next(iter(self.rows.values()), None)
        if not row:
            return "no run"
        return (
            f"{row['started'][:10]}, {row['cores']} cores, load average {row['load']} at the start"
        )


def read_rows(path):
    return Run(path)


def ratio(above, below):
    return above / below if above is not None and below else None


# ---- targets -------------------------------------------------------------------------------------


class Target:
    """The value or the ratio must be at least or at most `bound`."""

    def __init__(self, what, value, unit, beside, limit, times, sense="", bound=None, of="ratio"):
        self.what, self.value, self.unit = what, value, unit
        self.beside, self.limit, self.times = beside, limit, times
        self.sense, self.bound, self.of = sense, bound, of

    def verdict(self):
        judged = self.times if self.of == "ratio" else self.value
        if self.bound is None:
            return ""
        if judged is None:
            return "not measured"
        return (
            "met"
            if (judged >= self.bound if self.sense == ">=" else judged <= self.bound)
            else "MISSED"
        )

    def cells(self):
        bound = (
            f"{self.sense} {self.bound:,}{' x' if self.of == 'ratio' else ''}"
            if self.bound
            else ""
        )
        beside = f"{self.beside} {figure(self.limit)}".strip() if self.beside else ""
        times = f"{figure(self.times)} x" if self.times is not None else ""
        return [
            self.what,
            f"{figure(self.value)} {self.unit}",
            beside,
            times,
            bound,
            self.verdict(),
        ]


def rate_targets(run):
    million = run.plm("tasks, batches of 10000")
    noop = million * 1e6 if million else None
    pipe = run.plm("bare pipeline, items")
    yield Target(
        "no-op tasks, one client, batched",
        noop,
        "/s",
        "bare pipeline",
        pipe * 1e6 if pipe else None,
        run.plm("tasks, batches of 10000", "ratio"),
        ">=",
        3000000,
        "value",
    )
    many = run.peer("plm", "many")
    for name, what, text, bound in (
        ("Redis list", "each", "Redis list", 200),
        ("ProcessPoolExecutor", "each", "ProcessPoolExecutor", 200),
        ("Ray", "many", "Ray", 200),
        ("gearman", "many", "gearman", 100),
        ("Redis list", "many", "Redis list, 100 tasks a command", None),
        ("ProcessPoolExecutor", "many", "ProcessPoolExecutor, 1,000 calls a task", None),
        ("beanstalkd", "many", "beanstalkd", None),
        ("loky", "each", "loky", None),
        ("Dask LocalCluster", "many", "Dask LocalCluster", None),
        ("Celery", "many", "Celery", None),
    ):
        peer = run.peer(name, what)
        yield Target("no-op tasks beside", many, "/s", text, peer, ratio(many, peer), ">=", bound)


def trip_targets(run):
    idle, hot = run.plm("task, from idle, p50"), run.plm("tasks, back to back, p50")
    yield Target(
        "round trip from idle, p50",
        idle,
        "us",
        "bare three hops",
        run.plm("bare three hops, from idle, p50"),
        run.plm("task, from idle, p50", "ratio"),
        "<=",
        1.3,
    )
    bare = run.plm("bare three hops, back to back, p50")
    yield Target(
        "round trip back to back, p50",
        hot,
        "us",
        "bare three hops",
        bare,
        ratio(hot, bare),
        "<=",
        1.3,
    )
    spin = run.value("bench_limits", "two hops, spinning")
    yield Target(
        "round trip, hot, p50",
        hot,
        "us",
        "two hops, spinning",
        spin,
        ratio(hot, spin),
        "<=",
        3,
        "value",
    )
    for what, text in (("idle p50", "from idle"), ("hot p50", "back to back")):
        plm, redis = run.peer("plm", what), run.peer("Redis list", what)
        yield Target(
            f"round trip {text}: shorter than",
            plm,
            "us",
            "Redis list",
            redis,
            ratio(redis, plm),
            ">=",
            5,
        )


def metg(run, name, pattern, width):
    return run.value("graphs", f"{name}: {pattern}, width {width}")


def graph_targets(run):
    for pattern in ("stencil", "nearest", "fft"):
        for width, bound in ((2, 3), (8, 2)):
            value = metg(run, "plm", pattern, width)
            openmp, mpi = metg(run, "OpenMP", pattern, width), metg(run, "MPI", pattern, width)
            beside = f"MPI {figure(mpi)}, OpenMP"
            yield Target(
                f"METG, {pattern}, width {width}",
                value,
                "us",
                beside,
                openmp,
                ratio(value, openmp),
                "<=",
                bound,
                "value",
            )


OF_THE_MACHINE = (
    # pattern, width, bound as a multiple of OpenMP's length
    ("trivial", 2, 1.2),
    ("stencil", 2, 1.2),
    ("stencil", 8, 1.0),
    ("nearest", 8, 1.0),
    ("fft", 8, 1.0),
)
OVERHEAD_AT = (1, 8, 32, 64)  # us; a task costs at most OVERHEAD_MOST_US beyond the useful work
OVERHEAD_MOST_US = 4
ALONE_MOST_US = 6
CROWDS = [(pattern, us) for pattern in ("trivial", "stencil") for us in (4, 16, 64)]
CROWD_MOST = 1.1


def machine_targets(run):
    """Half of the MACHINE's peak, and the core time of a task beyond the useful work."""
    for pattern, width, bound in OF_THE_MACHINE:
        what = f"{width}, of the machine"
        value, openmp = metg(run, "plm", pattern, what), metg(run, "OpenMP", pattern, what)
        name = f"METG of the machine, {pattern}, width {width}"
        yield Target(name, value, "us", "OpenMP", openmp, ratio(value, openmp), "<=", bound)
    alone = metg(run, "plm", "trivial", "2, of the machine")
    name = "METG of the machine, trivial, width 2"
    yield Target(name, alone, "us", "", None, None, "<=", ALONE_MOST_US, "value")
    for us in OVERHEAD_AT:
        row = f"overhead of a task of {us} us"
        value, openmp = run.value("crowd", f"plm: {row}"), run.value("crowd", f"OpenMP: {row}")
        yield Target(row, value, "us", "OpenMP", openmp, None, "<=", OVERHEAD_MOST_US, "value")
    for pattern, us in CROWDS:
        row = f"{pattern} of {us} us, crowd"
        few = run.value("crowd", f"plm: {row}")
        for workers in (16, 64):
            many = run.value("crowd", f"plm, {workers} workers: {row}")
            name = f"{pattern} of {us} us, {workers} workers"
            yield Target(name, many, "us", "2 workers", few, ratio(many, few), "<=", CROWD_MOST)
    row = "stencil of 16 us, beside busy processes"
    value, openmp = run.value("crowd", f"plm: {row}"), run.value("crowd", f"OpenMP: {row}")
    yield Target(row, value, "us", "OpenMP", openmp, ratio(value, openmp), "<=", 1.0)


def object_targets(run):
    small, large = run.plm("get of 1 KiB, again"), run.plm("get of 1 GiB, again")
    yield Target(
        "get of 1 GiB, warm", large, "ns", "of 1 KiB", small, ratio(large, small), "<=", 1.25
    )
    yield Target("get of 1 GiB, warm", large, "ns", "", None, None, "<=", 2000, "value")
    for size in ("1 MiB", "64 MiB"):
        name = f"put of {size}"
        yield Target(
            f"{name}, warm",
            run.plm(name),
            "GB/s",
            "memcpy",
            run.plm(name, "limit"),
            run.plm(name, "ratio"),
            ">=",
            0.9,
        )
    seal, copy = run.plm("create, seal, drop of 64 MiB"), run.plm("memcpy of 64 MiB, warm")
    copy_us = (1 << 26) / copy / 1e3 if copy else None
    yield Target(
        "create, seal, drop of 64 MiB",
        seal,
        "us",
        "memcpy",
        copy_us,
        ratio(seal, copy_us),
        "<=",
        0.01,
    )


def runtime_targets(run):
    boot = run.plm("plm with 2 workers")
    fork = run.plm("fork, exec /bin/true, wait")
    yield Target(
        "boot to first result",
        boot,
        "ms",
        "fork, exec, wait",
        fork,
        ratio(boot, fork),
        "<=",
        15,
        "value",
    )
    plm = run.peer("plm", "boot")
    for name, bound in (("Ray", 100), ("Dask LocalCluster", 20), ("ProcessPoolExecutor", None)):
        peer = run.peer(name, "boot")
        yield Target("boot: faster than", plm, "ms", name, peer, ratio(peer, plm), ">=", bound)
    for length in LENGTHS[1:]:
        name = f"submitting and queueing, {length} queued"
        yield Target(
            f"a task behind {length:,}",
            run.plm(name),
            "ns",
            "behind 10,000",
            run.plm(name, "limit"),
            run.plm(name, "ratio"),
            "<=",
            1.5,
        )
    yield Target(
        "a queued task",
        run.plm("shared memory, a queued task"),
        "bytes",
        "",
        None,
        None,
        "<=",
        200,
        "value",
    )
    for name in ("64 clients, 2 workers", "1 client, 256 workers", "64 clients, 256 workers"):
        yield Target(
            name,
            run.plm(name),
            "M/s",
            "1 client, 2 workers",
            run.plm(name, "limit"),
            run.plm(name, "ratio"),
            ">=",
            0.5,
        )


def scheduling_targets(run):
    few = run.value("bench_place", "placing a task, 2 workers")
    for workers in (64, 1000):
        many = run.value("bench_place", f"placing a task, {workers} workers")
        yield Target(
            f"placing a task, {workers} workers",
            many,
            "ns",
            "2 workers",
            few,
            ratio(many, few),
            "<=",
            1.5,
        )
    differ = run.value("bench_place", "policies differ by")
    yield Target("policies differ by", differ, "ns", "", None, None, "<=", 100, "value")
    death = run.plm("from a kill to the next start")
    yield Target(
        "death of a worker to reassignment", death, "ms", "", None, None, "<=", 5, "value"
    )
    evicted = run.plm("from memory gone to a death")
    yield Target(
        "memory pressure to a death", evicted, "ms", "", None, None, "<=", 200, "value"
    )


def recovery_targets(run):
    def most(what, program, name, unit, bound):
        value = run.value(program, name)
        return Target(what, value, unit, "", None, None, "<=", bound, "value")

    for live, bound in ((10000, 1), (1000000, 100)):
        name = f"lock of the task heap, {live} live"
        what = f"death of a lock's holder, {live:,} live tasks"
        yield most(what, "bench_locks", name, "ms", bound)
    for what, bound in (
        ("from the scheduler's death to the next start", 20),
        ("from the scheduler's death to the next value", 20),
        ("until the next manager is ready", 50),
        ("under a guard, until a client can join", 50),
    ):
        yield most(what, "bench_plm", what, "ms", bound)
    for what, unit, sense, bound in (
        ("tasks, from the manager's death on", "M/s", ">=", 0.9),
        ("a task's trip, the manager is dead", "us", "<=", 1.1),
    ):
        yield Target(
            what,
            run.plm(what),
            unit,
            "while it lives",
            run.plm(what, "limit"),
            run.plm(what, "ratio"),
            sense,
            bound,
        )


def command_targets(run):
    def of(name):
        return run.value("commands", f"{name}: commands")

    plm = of("plmctl map")
    xargs = of("xargs -P2 -n1")
    yield Target(
        "a command of many, by plmctl map",
        plm,
        "us",
        "xargs -P2 -n1",
        xargs,
        ratio(plm, xargs),
        "<=",
        0.8,
    )
    for name, bound in (("GNU parallel -j2", 5), ("task-spooler", 10)):
        peer = of(name)
        what = "a command of many: shorter than"
        yield Target(what, plm, "us", name, peer, ratio(peer, plm), ">=", bound)
    for what in ("a command, submit to end", "plmctl submit -- /bin/true"):
        yield Target(
            what,
            run.plm(what),
            "us",
            run.rows.get(("bench_plm", what), {}).get("limit_name", ""),
            run.plm(what, "limit"),
            run.plm(what, "ratio"),
        )
    for what, unit, bound in (
        ("shared memory, a queued command of 2 words", "bytes", 400),
        ("submitting a million commands", "s", 10),
        ("their first ten, by plmctl tasks", "ms", 100),
    ):
        yield Target(what, run.plm(what), unit, "", None, None, "<=", bound, "value")


def stream_targets(run):
    def of(name):
        return run.value("streams", name)

    pipe, part, packed = of("plmctl map --pipe"), of("plmctl map --pipe-part"), of("plmctl map -X")
    for what, plm, name, sense, bound in (
        ("2 GiB over commands, --pipe: shorter than", pipe, "GNU parallel --pipe", ">=", 5),
        ("2 GiB over commands, --pipe: shorter than", pipe, streams.MIB_PARTS, ">=", 1),
        ("2 GiB over commands, --pipe: shorter than", pipe, "GNU parallel --pipe-part", ">=", 1),
        ("2 GiB over commands, --pipe-part: shorter than", part, "GNU parallel --pipe-part", ">=", 1),
        ("a million arguments, -X: shorter than", packed, "xargs", ">=", 1),
    ):
        peer = of(name)
        yield Target(what, plm, "ms", name, peer, ratio(peer, plm), sense, bound)
    bare, barred = of("plmctl map, on a terminal"), of("plmctl map --bar")
    yield Target("map --bar", barred, "ms", "without", bare, ratio(barred, bare), "<=", 1.03)


def idle_targets(run):
    def of(what, *members):
        values = [run.plm(f"{member}, {what}") for member in members]
        return values if None not in values else []

    everyone = ("manager", "scheduler", "worker 1", "worker 2")
    cpu, wakes = of("CPU time", *everyone), of("wake-ups", *everyone)
    resident = of("resident", "manager", "scheduler")
    yield Target(
        "idle: CPU of all", sum(cpu) if cpu else None, "us/s", "", None, None, "<=", 1000, "value"
    )
    yield Target(
        "idle: wake-ups of a process",
        max(wakes, default=None),
        "1/s",
        "",
        None,
        None,
        "<=",
        1.1,
        "value",
    )
    yield Target(
        "idle: manager and scheduler",
        sum(resident) if resident else None,
        "MB",
        "",
        None,
        None,
        "<=",
        10,
        "value",
    )


# contestant -> at least so many times slower than plm; None: shown without a target
PYTHON_TARGETS = (
    ("trip p50", "submit to result, p50", "us", {"ProcessPoolExecutor": 4, "loky": None, "Ray": 15}),
    ("small", "100,000 small functions", "/s", {"ProcessPoolExecutor": 8, "loky": 8, "Ray": 40}),
    ("chunks", "map(chunksize=1000)", "/s", {"ProcessPoolExecutor": 1, "loky": None}),
    ("argument", "64 MiB array for 100 tasks, each", "us", {"ProcessPoolExecutor": 50, "Ray": 1}),
    ("result", "64 MiB array as a result", "us", {"ProcessPoolExecutor": 50, "Ray": 1}),
    (
        "boot",
        "start of Python to the first result",
        "ms",
        {"ProcessPoolExecutor": 1, "ProcessPoolExecutor, forkserver": 1, "Ray": None},
    ),
)


def python_targets(run):
    """plm.Executor beside the executors of Python, from the part `python`."""

    def of(name, what="plm"):
        return run.value("python", f"{what}: {name}")

    for what, text, unit, peers in PYTHON_TARGETS:
        plm = of(what)
        for name, bound in peers.items():
            peer = of(what, name)
            times = ratio(plm, peer) if unit == "/s" else ratio(peer, plm)
            yield Target(f"{text}: faster than", plm, unit, name, peer, times, ">=", bound)
    put, copy = run.value("python", "put of 64 MiB"), run.value("python", "memcpy of 64 MiB, warm")
    yield Target("put of a 64 MiB array", put, "GB/s", "memcpy", copy, ratio(put, copy), ">=", 0.8)
    for text, value, unit, bound in (
        ("a task's access to the array, with its trip", of("handed over"), "us", 100),
        ("start of Python to the first result", of("boot"), "ms", 150),
        ("another worker", run.value("python", "another worker"), "ms", 10),
        ("import plm", of("import"), "ms", 30),
    ):
        yield Target(text, value, unit, "", None, None, "<=", bound, "value")


TARGET_HEAD = ["what", "value", "beside", "ratio", "target", ""]


def targets(run):
    for part in (
        rate_targets,
        trip_targets,
        graph_targets,
        object_targets,
        runtime_targets,
        scheduling_targets,
        recovery_targets,
        command_targets,
        stream_targets,
        idle_targets,
    ):
        for target in part(run):
            yield target.cells()


def targets_of_graphs(run):
    """A block of its own on the page, since a run of the part `graphs` alone brings it up to date."""
    for target in machine_targets(run):
        yield target.cells()


def targets_of_python(run):
    """Likewise."""
    for target in python_targets(run):
        yield target.cells()


def print_targets(run):
    rows = [*targets(run), *targets_of_python(run), *targets_of_graphs(run)]
    print("\nthe targets")
    widths = [max(len(row[i]) for row in [TARGET_HEAD, *rows]) for i in range(len(TARGET_HEAD))]
    for row in [TARGET_HEAD, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    missed = sum(row[-1] == "MISSED" for row in rows)
    print(f"\n{missed} of {sum(row[-1] != '' for row in rows)} missed")
