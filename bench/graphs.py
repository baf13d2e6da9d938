"""graphs.py - the parts `graphs` and `crowd` of the bench: task graphs on plm, OpenMP, StarPU and MPI.

A sweep shortens the tasks of a graph step by step. The efficiency of a run is the useful work over
the work that the machine can do in the same time on both cores; the machine is calibrated in the
same run. A sweep gives two figures:

    METG of the machine   the shortest task at which the efficiency is still a half (the paper's
                          definition: Slaughter et al., Task Bench, 2020)
    METG of the own peak  the shortest task at which the efficiency is half of the runtime's best

A third measurement is the overhead of a task: the core time of all processes of a runtime beyond
the useful work, divided by the number of tasks, over the length of a task.
"""

import math
import os
import statistics
import subprocess
import sys

CORES_USED = 2
AIMED = ("trivial", "stencil", "nearest", "spread", "fft")
WIDTHS = (2, 8, 64)
FURTHER = ("chain", "tree", "random")  # swept once, at the first two widths
SWEEPS = 5
TASKS, ROWS_MAX = 4000, 1000
LONGEST_NS, SHORTEST_NS, FACTOR = 113000, 100, math.sqrt(2)
LONG_NS = 30000  # from here a run is long enough for a single sample
GIVEN_UP = 0.4  # of the peak: below this share both crossings have been passed
CURVE = "stencil"  # the pattern whose efficiency is kept for every length, for the plots
OVERHEAD_US = (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
OVERHEAD_ROUNDS, OVERHEAD_S = 5, 0.3
CROWD, CROWD_WIDTH, CROWD_US, CROWD_ROUNDS = ("trivial", "stencil"), 8, (4, 16, 64), 5
BUSY_US, BUSY_PROCESSES = 16, 2
BUSY = "while True: pass"
CALIBRATION_TURNS, CALIBRATIONS = 1000000, 10


def tasks_of(pattern, width, steps):
    if pattern != "tree":
        return width * steps
    depth = width.bit_length() - 1
    phase = [min(step % (2 * depth), 2 * depth - step % (2 * depth)) for step in range(steps)]
    return sum(1 << level for level in phase)


def crossing(points, level):
    """The shortest task length with an efficiency of `level`, between two measured lengths.
    Points from long tasks to short; math.inf if no point reaches the level."""
    reached = [i for i, (_, efficiency) in enumerate(points) if efficiency >= level]
    if not reached:
        return math.inf
    last = reached[-1]
    if last + 1 == len(points):
        return points[last][0]  # shorter than the shortest
    (long, above), (short, below) = points[last], points[last + 1]
    return long * (short / long) ** ((above - level) / (above - below))


def peak_of(points):
    return max(efficiency for _, efficiency in points)


def core_ns(pid):
    """The core time of a process and all its descendants."""
    total, pids = 0, [pid]
    while pids:
        pid = pids.pop()
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                    total += int(file.read().split()[0])
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    pids.extend(int(child) for child in file.read().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


class Way:
    """A runtime, and the way in which its client submits a graph."""

    def __init__(self, name, contestant, ahead=False):
        self.name, self.contestant, self.suffix = name, contestant, " ahead" if ahead else ""

    def run(self, pattern, width, steps, turns):
        """Nanoseconds of a graph."""
        wall = self.contestant.ask(f"{pattern} {width} {steps} {turns}{self.suffix}")[0]
        if wall <= 0:
            raise RuntimeError(f"{self.name}: a graph failed")
        return wall


def ways_of(running):
    ways = []
    for contestant in running:
        ways.append(Way(contestant.name, contestant))
        if contestant.name == "plm":
            ways.append(Way("plm, submitted before", contestant, ahead=True))
    return ways


def calibrate(running):
    """Nanoseconds of a turn of the work while both cores work: the peak of the machine."""
    pair, best = (running * 2)[:2] if len(running) == 1 else running[:2], math.inf
    for _ in range(CALIBRATIONS):
        if pair[0] is pair[1]:
            took = pair[0].ask(f"turns {CALIBRATION_TURNS}")[0]
        else:
            for contestant in pair:
                contestant.send(f"turns {CALIBRATION_TURNS}")
            took = max(contestant.answer()[0] for contestant in pair)
        best = min(best, took / CALIBRATION_TURNS)
    return best


class Graphs:
    def __init__(self, options, rows, running):
        self.rows, self.ways, self.quick = rows, ways_of(running), options.quick
        self.turn_ns = calibrate(running)

    def turns(self, ns):
        return max(1, round(ns / self.turn_ns))

    def steps(self, width):
        return min(ROWS_MAX, TASKS // width) // (5 if self.quick else 1)

    def efficiency(self, way, pattern, width, ns):
        turns, steps = self.turns(ns), self.steps(width)
        wall = way.run(pattern, width, steps, turns)
        return tasks_of(pattern, width, steps) * turns * self.turn_ns / (wall * CORES_USED)

    def sweep(self, pattern, width):
        """Points of each way: (length in ns, efficiency), from long tasks to short."""
        points = {way.name: [] for way in self.ways}
        active, ns = list(self.ways), LONGEST_NS
        while active and ns >= SHORTEST_NS:
            samples = {way.name: [] for way in active}
            for _ in range(1 if ns > LONG_NS else 3):
                for way in active:
                    samples[way.name].append(self.efficiency(way, pattern, width, ns))
            for name, values in samples.items():
                points[name].append((ns, statistics.median(values)))
            active = [way for way in active if self.goes_on(points[way.name])]
            ns /= FACTOR
        return points

    @staticmethod
    def goes_on(points):
        low = GIVEN_UP * min(1.0, peak_of(points))
        return any(efficiency >= low for _, efficiency in points[-2:])  # one point may be noise

    def metg(self, pattern, width, sweeps):
        lines = [self.sweep(pattern, width) for _ in range(1 if self.quick else sweeps)]
        self.figures(pattern, width, lines, "", lambda points: peak_of(points) / 2)
        self.figures(pattern, width, lines, ", of the machine", lambda points: 0.5)
        for way in self.ways:
            peak = statistics.median(peak_of(points[way.name]) for points in lines)
            self.rows.write(f"{way.name}: {pattern}, width {width}, peak", round(peak, 4), "1")
        if pattern == CURVE:
            self.write_curves(f"{pattern}, width {width}", lines[0])

    def figures(self, pattern, width, lines, label, level):
        found = {
            way.name: [
                crossing(points[way.name], level(points[way.name])) / 1e3 for points in lines
            ]
            for way in self.ways
        }
        for name, lengths in found.items():
            lengths = [us for us in lengths if us != math.inf]
            if lengths:
                beside = found["plm"] if name != "plm" and math.inf not in found["plm"] else None
                name = f"{name}: {pattern}, width {width}{label}"
                self.rows.add(name, lengths, "us", beside)

    def write_curves(self, what, points):
        for name, line in points.items():
            for length, efficiency in line:
                curve = f"{name}: {what}, efficiency at {length / 1e3:.3f} us"
                self.rows.write(curve, round(efficiency, 4), "1")

    def overhead_once(self, way, width, us):
        """Microseconds of core time beyond the useful work, for a task."""
        turns = self.turns(us * 1e3)
        steps = int(OVERHEAD_S * 1e6 * CORES_USED / (width * us))
        steps = max(50, min(ROWS_MAX, steps)) // (5 if self.quick else 1)
        before = core_ns(way.contestant.process.pid)
        way.run(CURVE, width, steps, turns)
        used = core_ns(way.contestant.process.pid) - before
        tasks = tasks_of(CURVE, width, steps)
        return (used - tasks * turns * self.turn_ns) / tasks / 1e3

    def overhead(self, width):
        for us in OVERHEAD_US:
            found = {way.name: [] for way in self.ways}
            for _ in range(1 if self.quick else OVERHEAD_ROUNDS):
                for way in self.ways:
                    found[way.name].append(self.overhead_once(way, width, us))
            for name, samples in found.items():
                beside = found["plm"] if name != "plm" else None
                self.rows.add(f"{name}: overhead of a task of {us:g} us", samples, "us", beside)

    def walls(self, ways, pattern, us, label):
        """Microseconds of wall time for a task, at a width of CROWD_WIDTH."""
        steps, turns = self.steps(CROWD_WIDTH), self.turns(us * 1e3)
        tasks, found = tasks_of(pattern, CROWD_WIDTH, steps), {way.name: [] for way in ways}
        for turn in range(1 + (1 if self.quick else CROWD_ROUNDS)):
            for way in ways:
                wall = way.run(pattern, CROWD_WIDTH, steps, turns) / tasks / 1e3
                if turn > 0:  # the first round is a warm-up
                    found[way.name].append(wall)
        for name, samples in found.items():
            beside = found["plm"] if name != "plm" else None
            self.rows.add(f"{name}: {pattern} of {us} us, {label}", samples, "us", beside)

    def crowd(self, crowds):
        ways = [self.ways[0], *(Way(contestant.name, contestant) for contestant in crowds)]
        for pattern in CROWD:
            for us in CROWD_US:
                self.walls(ways, pattern, us, "crowd")

    def beside_busy_processes(self):
        busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(BUSY_PROCESSES)]
        try:
            self.walls(self.ways, CURVE, BUSY_US, "beside busy processes")
        finally:
            for process in busy:
                process.kill()
                process.wait()


def measure_graphs(graphs, rows):
    rows.title("graphs", "graphs: METG(50 %), own peak, and of the machine's peak")
    for width in WIDTHS:
        for pattern in AIMED:
            graphs.metg(pattern, width, SWEEPS)
    for width in () if graphs.quick else WIDTHS[:2]:
        for pattern in FURTHER:
            graphs.metg(pattern, width, 1)


def measure_crowd(graphs, rows, crowds):
    rows.title("crowd", f"crowd: core time beyond the work, {CURVE}, width 8")
    graphs.overhead(8)
    rows.title("crowd", "crowd: wall time of a task, more workers than cores")
    graphs.crowd(crowds)
    rows.title("crowd", f"crowd: the same, {BUSY_PROCESSES} other processes busy")
    graphs.beside_busy_processes()


def run_part(name, contestants, measure):
    try:
        for contestant in contestants:
            contestant.start()
        measure()
    except (RuntimeError, OSError) as error:
        print(f"bench: {name}: {error}", file=sys.stderr)
        return 1
    finally:
        for contestant in contestants:
            contestant.stop()
    return 0


def part(options, rows, contestants, present):
    """METG of task graphs."""
    running = present(contestants, rows)
    return run_part(
        "graphs",
        running,
        lambda: measure_graphs(Graphs(options, rows, running), rows),
    )


def part_crowd(options, rows, contestants, crowds, present):
    """The core time of a task, more workers than cores, other programs on the machine."""
    running, crowds = present(contestants, rows), present(crowds, rows)
    return run_part(
        "crowd",
        running + crowds,
        lambda: measure_crowd(Graphs(options, rows, running), rows, crowds),
    )
