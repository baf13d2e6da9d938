#!/usr/bin/env python3
"""run.py - `make bench`: the limits of the machine, plm, the peers, and the table of targets.

    python3 bench/run.py [--quick] [--only PART ...] [--plm ./plm] [--build build/release]

Parts, in this order: limits plm place locks fleet fleets peers python commands streams objects graphs crowd targets.
What is compared is measured in turn, A B A B, a first round thrown away; the median of the rounds is the value,
their least and greatest the noise. Rows go to build/bench/results.csv, which a run of all parts begins anew (the last one
becomes results.old.csv). Time never decides the exit code: 1 means that a part of plm did not run.
"""

import argparse
import csv
import math
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time

import executors
import fleets
import graphs
import runners
import streams
import targets

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.join("build", "venv", "bin", "python")
FIRST_MAX_S = 60
ANSWER_MAX_S = 120
PARTS = (
    "limits",
    "plm",
    "place",
    "locks",
    "fleet",
    "fleets",
    "peers",
    "python",
    "commands",
    "streams",
    "objects",
    "graphs",
    "crowd",
    "targets",
)


# ---- contestants ---------------------------------------------------------------------------------


class Contestant:
    """A program that answers the requests of peer.h, in a session that is killed as a whole."""

    def __init__(self, name, command, environment=None):
        self.name, self.command, self.process = name, command, None
        self.environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(environment or {})}

    def missing(self):
        """Why the contestant cannot run here; empty if nothing is missing."""
        for word in self.command[:2]:
            if "/" in word and not os.path.exists(word):
                return f"{word} is not there"
        return "" if shutil.which(self.command[0]) else f"{self.command[0]} is not there"

    def start(self):
        """Milliseconds from the start to the first result."""
        os.makedirs("build/bench/logs", exist_ok=True)
        log = open(f"build/bench/logs/{self.name.replace(' ', '-')}.log", "w")
        start = time.perf_counter()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=self.environment,
            start_new_session=True,
            bufsize=0,
        )
        log.close()
        if self.read(FIRST_MAX_S) != "first":
            raise RuntimeError("no first result")
        return (time.perf_counter() - start) * 1e3

    def read(self, seconds):
        line, deadline = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise RuntimeError(f"no answer in {seconds} s")
            byte = self.process.stdout.read(1)
            if not byte:
                raise RuntimeError("it ended")
            line += byte
        return line.decode().strip()

    def send(self, request):
        self.process.stdin.write(f"{request}\n".encode())

    def answer(self):
        """The numbers of the answer; none for a request that the contestant cannot serve."""
        answer = self.read(ANSWER_MAX_S)
        return [] if answer == "none" else [float(word) for word in answer.split()]

    def ask(self, request):
        self.send(request)
        return self.answer()

    def stop(self):
        if not self.process:
            return
        try:
            self.process.stdin.close()
            self.process.wait(30)
        except (OSError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # start() made the session
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.process = None


def python_peer(name, script, *words, environment=None):
    return Contestant(name, [PYTHON, os.path.join(HERE, "peers", script), *words], environment)


def queue_contestants(options):
    peers = f"{options.build}/bench/peers"
    return [
        Contestant("plm", [f"{peers}/plm_runtime", options.plm]),
        Contestant("Redis list", [f"{peers}/redis_list"]),
        Contestant("gearman", [f"{peers}/gearman"]),
        Contestant("beanstalkd", [f"{peers}/beanstalk"]),
        python_peer("ProcessPoolExecutor", "process_pool.py"),
        python_peer("loky", "loky_pool.py"),
        python_peer("Dask LocalCluster", "dask_local.py"),
        python_peer("Ray", "ray_local.py"),
        python_peer("Celery", "celery_redis.py"),
        python_peer("RQ", "rq_redis.py"),
        Contestant("plm fleet", [f"{peers}/plm_fleet", options.plm]),
    ]


def object_contestants(options):
    peers, module = f"{options.build}/bench/peers", f"{options.build}/bench/bench.so"
    plm = [f"{peers}/plm_runtime", options.plm, module, "3G"]
    return [
        Contestant("plm, put", plm),
        Contestant("plm, written in place", [*plm, "place"]),
        Contestant("pipe", [f"{peers}/channels", "pipe"]),
        Contestant("unix socket", [f"{peers}/channels", "socket"]),
        Contestant("Redis list", [f"{peers}/redis_list"]),
        python_peer("ProcessPoolExecutor", "process_pool.py"),
        python_peer("Ray", "ray_local.py"),
    ]


def graph_contestants(options):
    peers = f"{options.build}/bench/peers"
    mpi = ["mpirun", "--oversubscribe", "--bind-to", "core", "-n", "2", f"{peers}/graph_mpi"]
    if os.geteuid() == 0:
        mpi.insert(1, "--allow-run-as-root")
    return [
        Contestant("plm", [f"{peers}/graph_plm", options.plm, f"{options.build}/bench/bench.so"]),
        Contestant("OpenMP", [f"{peers}/graph_openmp"], {"OMP_PROC_BIND": "true"}),
        Contestant("StarPU", [f"{peers}/graph_starpu"], {"STARPU_FXT_TRACE": "0"}),
        Contestant("MPI", mpi),
    ]


def graph_crowds(options):
    """plm with more workers than cores."""
    peers = f"{options.build}/bench/peers"
    command = [f"{peers}/graph_plm", options.plm, f"{options.build}/bench/bench.so"]
    return [Contestant(f"plm, {n} workers", [*command, str(n)]) for n in (16, 64)]


def present(contestants, rows):
    """The contestants that can run; the rest become rows `missing`."""
    able = []
    for contestant in contestants:
        why = contestant.missing()
        if why:
            rows.missing(contestant.name, why)
        else:
            able.append(contestant)
    return able


# ---- rows ----------------------------------------------------------------------------------------


class Rows:
    """Prints rows and appends them to the CSV file, in the columns of measure.c."""

    def __init__(self, path):
        self.path, self.started = path, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.cores, self.load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
        self.program = ""

    def title(self, program, text):
        self.program = program
        print(f"\n{text:<46} {'value':>10} {'unit':<6} {'rounds: min .. max':<24} {'plm / it':>9}")

    def write(self, name, value, unit, low="", high="", beside=("", "")):
        new = not os.path.exists(self.path)
        with open(self.path, "a", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            if new:
                out.writerow(targets.COLUMNS)
            head = [self.started, self.program, self.cores, f"{self.load:.2f}", name]
            ratio = f"{value / beside[1]:.4g}" if beside[1] and value != "" else ""
            out.writerow([*head, value, unit, low, high, *beside, ratio, "", ""])

    def add(self, name, samples, unit, plm=None):
        """The median of the rounds, beside plm's median (samples too)."""
        value, low, high = statistics.median(samples), min(samples), max(samples)
        beside = ("plm", statistics.median(plm)) if plm else ("", "")
        figures = [targets.figure(x) for x in (value, low, high)]
        ratio = targets.figure(beside[1] / value) + " x" if plm else ""
        spread = f"{figures[1]} .. {figures[2]}"
        print(f"{name:<46} {figures[0]:>10} {unit:<6} {spread:<24} {ratio:>9}", flush=True)
        values = [f"{x:.6g}" for x in (value, low, high)]
        self.write(name, float(values[0]), unit, values[1], values[2], beside)

    def missing(self, name, why):
        print(f"{name:<46} {'missing':>10} {why}", flush=True)
        self.write(f"{name}: missing", "", why.replace(",", ";"))


# ---- the parts -----------------------------------------------------------------------------------


def run_program(options, name):
    command = [f"{options.build}/bench/{name}", "--csv", options.csv]
    if name == "plm":
        command += ["--plm", options.plm]
    if options.quick:
        command.append("--quick")
    print(flush=True)
    return subprocess.call(command)


def queue_round(contestant, seconds, trips, found):
    def keep(what, values):
        if found is not None and values:
            found.setdefault((contestant.name, what), []).append(values)

    keep("boot", contestant.start())
    contestant.ask(f"many {seconds / 4}")
    for what in ("many", "each"):
        keep(what, (contestant.ask(f"{what} {seconds}") or [0])[0])
    for what in ("hot", "idle"):
        answer = contestant.ask(f"{what} {trips}")
        keep(f"{what} p50", (answer or [0])[0])
        keep(f"{what} p99", (answer or [0])[-1])


QUEUE_ROWS = (
    ("many", "1/s", "tasks a second, in the best way for many"),
    ("each", "1/s", "tasks a second, handed over one by one"),
    ("hot p50", "us", "round trip back to back, p50"),
    ("hot p99", "us", "round trip back to back, p99"),
    ("idle p50", "us", "round trip from idle, p50"),
    ("idle p99", "us", "round trip from idle, p99"),
    ("boot", "ms", "from the start of the program to the first result"),
)


def in_turn(contestants, rounds, round_of, rows):
    """Starts, measures and ends each contestant in each round; a failed contestant is named and left out."""
    out = {}
    for number in range(rounds + 1):
        for contestant in contestants:
            if contestant.name in out:
                continue
            try:
                round_of(contestant, number)
            except (RuntimeError, OSError) as error:
                out[contestant.name] = str(error)
                rows.missing(contestant.name, str(error))
            finally:
                contestant.stop()
    return out


def part_peers(options, rows):
    found = {}
    seconds, rounds = (0.3, 2) if options.quick else (1.0, 4)
    trips = 100 if options.quick else 300
    rows.title("peers", "peers: no-op tasks, one client, two workers")
    contestants = present(queue_contestants(options), rows)
    in_turn(
        contestants,
        rounds,
        lambda c, n: queue_round(c, seconds if n else seconds / 4, trips, found if n else None),
        rows,
    )
    for what, unit, text in QUEUE_ROWS:
        rows.title("peers", text)
        for contestant in contestants:
            samples = found.get((contestant.name, what))
            if samples:
                plm = found.get(("plm", what)) if contestant.name != "plm" else None
                rows.add(f"{contestant.name}: {what}", samples, unit, plm)
    return 0 if ("plm", "boot") in found else 1


def object_round(contestant, sizes, found):
    contestant.start()
    for size in sizes:
        if contestant.name == "Redis list" and size > 1 << 26:  # at most 512 MiB in a value
            continue
        answer = contestant.ask(f"touch {size}")
        if found is not None and answer:
            found.setdefault((contestant.name, size), []).append(answer[0])


def part_objects(options, rows):
    found = {}
    sizes = [1, 1 << 10, 1 << 16, 1 << 20, 1 << 26]
    if not options.quick:
        sizes.append(1 << 30)
    rows.title("objects", "objects: until another process has looked at them")
    contestants = present(object_contestants(options), rows)
    in_turn(
        contestants,
        1 if options.quick else 3,
        lambda c, n: object_round(c, sizes if n else sizes[:4], found if n else None),
        rows,
    )
    for size in sizes:
        rows.title("objects", f"{targets.bytes_text(size)} handed over")
        for contestant in contestants:
            samples = found.get((contestant.name, size))
            if samples:
                plm = found.get(("plm, put", size)) if contestant.name != "plm, put" else None
                rows.add(f"{contestant.name}: {targets.bytes_text(size)}", samples, "us", plm)
    return 0 if ("plm, put", 1) in found else 1


def part_fleets(options, rows):
    everyone = fleets.contestants(options, Contestant, python_peer)
    return fleets.part(options, rows, present(everyone, rows), in_turn)


def part_targets(options, rows):
    del rows
    targets.print_targets(targets.read_rows(options.csv))
    return 0


# ---- main ----------------------------------------------------------------------------------------


def parse():
    parser = argparse.ArgumentParser(description="plm beside its peers and the machine's limits")
    parser.add_argument("--quick", action="store_true", help="shorter rounds, and fewer")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="PART", help=", ".join(PARTS)
    )
    parser.add_argument("--plm", default="./plm", help="the program to boot")
    parser.add_argument("--build", default="build/release", help="where bench/ was built")
    parser.add_argument("--csv", default="build/bench/results.csv")
    return parser.parse_args()


def main():
    options = parse()
    os.makedirs(os.path.dirname(options.csv) or ".", exist_ok=True)
    if not options.only and os.path.exists(options.csv):
        os.replace(options.csv, options.csv.replace(".csv", ".old.csv"))
    rows = Rows(options.csv)
    parts = {
        "limits": lambda: run_program(options, "limits"),
        "plm": lambda: run_program(options, "plm"),
        "place": lambda: run_program(options, "place"),
        "locks": lambda: run_program(options, "locks"),
        "fleet": lambda: run_program(options, "fleet"),
        "fleets": lambda: part_fleets(options, rows),
        "peers": lambda: part_peers(options, rows),
        "python": lambda: executors.part(options, rows, python_peer, present, in_turn),
        "commands": lambda: runners.part(options, rows, Contestant, present, in_turn),
        "streams": lambda: streams.part(options, rows, present, in_turn),
        "objects": lambda: part_objects(options, rows),
        "graphs": lambda: graphs.part(options, rows, graph_contestants(options), present),
        "crowd": lambda: graphs.part_crowd(
            options, rows, graph_contestants(options), graph_crowds(options), present
        ),
        "targets": lambda: part_targets(options, rows),
    }
    codes = [parts[name]() for name in PARTS if not options.only or name in options.only]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
