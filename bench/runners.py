"""runners.py - the part `commands` of the bench: runs /bin/true many times, two at a time.

plm in two ways: its client, which submits all of them in one batch to a runtime that is up, and
`plmctl map`, which boots a runtime and ends it, as its users do. The others are lines of a shell,
timed from their start to their end. Slow ones are given fewer commands; the figure is of one.
"""

import os
import shutil
import subprocess
import tempfile
import time

LINE_MAX_S = 600
FEWEST = 200

TSP = """
export TS_SOCKET=$PWD/socket TMPDIR=$PWD TS_MAXCONN=1000
tsp -S 2
i=0; while [ $i -lt {n} ]; do i=$((i+1)); tsp -n /bin/true $i >/dev/null; done
tsp -w
tsp -K
"""


class Line:
    """A shell line, run in a private folder."""

    def __init__(self, name, program, line, share):
        self.name, self.program, self.line, self.share = name, program, line, share

    def missing(self):
        return "" if shutil.which(self.program) else f"{self.program} is not there"

    def start(self):
        self.folder = tempfile.TemporaryDirectory(prefix="plm-bench-")

    def microseconds(self, n):
        start = time.perf_counter()
        try:
            process = subprocess.run(
                ["/bin/sh", "-ec", self.line.format(n=n)],
                cwd=self.folder.name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=LINE_MAX_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"no end in {LINE_MAX_S} s") from error
        seconds = time.perf_counter() - start
        if process.returncode:
            why = process.stderr.decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"exit code {process.returncode}: {why[-1] if why else ''}")
        return seconds * 1e6 / n

    def stop(self):
        self.folder.cleanup()


class Client:
    """plm with a client of libplm: a contestant that answers requests."""

    share = 1

    def __init__(self, contestant):
        self.contestant, self.name = contestant, contestant.name

    def missing(self):
        return self.contestant.missing()

    def start(self):
        self.contestant.start()

    def microseconds(self, n):
        return self.contestant.ask(f"commands {n}")[0]

    def stop(self):
        self.contestant.stop()


def has_map(plmctl):
    done = subprocess.run([plmctl, "map", "--help"], capture_output=True, check=False)
    return done.returncode == 0


def runners(options, contestant):
    plmctl = os.path.abspath(options.plm + "ctl")
    ours = [Client(contestant("plm", [f"{options.build}/bench/peers/plm_runtime", options.plm]))]
    if has_map(plmctl):
        ours.append(Line("plmctl map", plmctl, f"seq {{n}} | {plmctl} map -j2 /bin/true {{{{}}}}", 1))
    return [
        *ours,
        Line("xargs -P2 -n1", "xargs", "seq {n} | xargs -P2 -n1 /bin/true", 1),
        Line("GNU parallel -j2", "parallel", "seq {n} | parallel -j2 /bin/true", 10),
        Line("task-spooler", "tsp", TSP, 20),
    ]


def part(options, rows, contestant, present, in_turn):
    """0, or 1 when plm did not run."""
    count, rounds = (1000, 2) if options.quick else (10000, 3)
    rows.title("commands", f"/bin/true two at a time, {count:,} times (parallel 1/10, tsp 1/20)")
    found = {}

    def one_round(runner, number):
        runner.start()
        n = max(FEWEST, count // runner.share) if number else FEWEST
        microseconds = runner.microseconds(n)
        if number:
            found.setdefault(runner.name, []).append(microseconds)

    running = present(runners(options, contestant), rows)
    in_turn(running, rounds, one_round, rows)
    for runner in running:
        samples = found.get(runner.name)
        if samples:
            plm = found.get("plm") if runner.name != "plm" else None
            rows.add(f"{runner.name}: commands", samples, "us", plm)
    return 0 if "plm" in found else 1
