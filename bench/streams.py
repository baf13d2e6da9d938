"""streams.py - the part `streams` of the bench: a file spread over commands, a million arguments packed
into few commands, and the price of a bar; plmctl map beside GNU parallel and xargs.

Each line is what its user would type, timed from start to end. GNU parallel --pipe gets a part of
the file, because it is slow; its figure is scaled to the whole.
"""

import os
import shutil
import tempfile

import runners

MIB = 1 << 20
LINE = b"a line of some forty bytes, as of a log\n"
SUM = " | awk '{{ sum += $1 }} END {{ print sum }}'"
MIB_PARTS = "GNU parallel --pipe-part, a MiB a job"
FEW, MANY = 1 << 6, 1 << 11  # MiB


class Folder:
    """The input of all lines, made once, in a folder on disk."""

    def __init__(self, quick):
        self.path = tempfile.mkdtemp(prefix="plm-bench-", dir="/var/tmp")
        self.mib = FEW * 4 if quick else MANY
        with open(self.file(), "wb") as file:
            block = LINE * (MIB // len(LINE))
            block += b"x" * (MIB - len(block) - 1) + b"\n"
            for _ in range(self.mib):
                file.write(block)

    def file(self):
        return os.path.join(self.path, "lines")

    def remove(self):
        shutil.rmtree(self.path)


class Line(runners.Line):
    """share: of the whole input; the figure is scaled to the whole, in milliseconds."""

    def milliseconds(self, whole):
        n = max(1, whole // self.share)
        return self.microseconds(n) * whole / 1e3


def lines(plmctl, file):
    spread = [
        Line("plmctl map --pipe", plmctl, f"{plmctl} map -j2 --pipe wc -l < {file}{SUM}", 1),
        Line("plmctl map --pipe-part", plmctl, f"{plmctl} map -j2 --pipe-part -a {file} wc -l{SUM}", 1),
        Line("plmctl map --pipe, of a pipe", plmctl, f"cat {file} | {plmctl} map -j2 --pipe wc -l{SUM}", 1),
        Line("GNU parallel --pipe", "parallel", f"head -c {{n}}M {file} | parallel -j2 --pipe wc -l{SUM}", 8),
        Line("GNU parallel --pipe-part", "parallel", f"parallel -j2 --pipepart -a {file} wc -l{SUM}", 1),
        Line(MIB_PARTS, "parallel", f"parallel -j2 --pipepart --block 1M -a {file} wc -l{SUM}", 1),
    ]
    packed = [
        Line("plmctl map -X", plmctl, f"seq {{n}} | {plmctl} map -X -j2 echo", 1),
        Line("plmctl map --xargs", plmctl, f"seq {{n}} | {plmctl} map --xargs -j2 echo", 1),
        Line("xargs", "xargs", "seq {n} | xargs echo", 1),
        Line("GNU parallel -X", "parallel", "seq {n} | parallel -X -j2 echo", 1),
    ]
    barred = [
        Line("plmctl map, on a terminal", "script", f"script -qec 'seq {{n}} | {plmctl} map -j2 true' /dev/null", 1),
        Line("plmctl map --bar", "script", f"script -qec 'seq {{n}} | {plmctl} map -j2 --bar true' /dev/null", 1),
    ]
    return spread, packed, barred


def measure(group, whole, first, rounds, rows, present, in_turn):
    found = {}

    def one_round(line, number):
        line.start()
        if number:
            found.setdefault(line.name, []).append(line.milliseconds(whole))

    running = present(group, rows)
    in_turn(running, rounds, one_round, rows)
    for line in running:
        samples = found.get(line.name)
        if samples:
            rows.add(line.name, samples, "ms", found.get(first) if line.name != first else None)
    return first in found


def part(options, rows, present, in_turn):
    """0, or 1 when plm did not run."""
    plmctl = os.path.abspath(options.plm + "ctl")
    rounds = 2 if options.quick else 3
    folder = Folder(options.quick)
    try:
        spread, packed, barred = lines(plmctl, folder.file())
        rows.title("streams", f"{folder.mib} MiB of lines into wc -l, two at a time")
        good = measure(spread, folder.mib, spread[0].name, rounds, rows, present, in_turn)
        values = 100_000 if options.quick else 1_000_000
        rows.title("streams", f"{values:,} arguments packed into echo")
        good &= measure(packed, values, packed[0].name, rounds, rows, present, in_turn)
        jobs = 1_000 if options.quick else 10_000
        rows.title("streams", f"{jobs:,} times true, on a terminal")
        good &= measure(barred, jobs, barred[0].name, rounds, rows, present, in_turn)
    finally:
        folder.remove()
    return 0 if good else 1
