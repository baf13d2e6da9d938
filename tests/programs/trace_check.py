#!/usr/bin/env python3
"""trace_check.py - judges a trace of plmctl by the events that the trace was made from.

    trace_check.py DIRECTORY TRACE.json[.gz] TRACE.pftrace[.gz] [WORKERS]

DIRECTORY holds transitions.csv of `plmctl plot --csv`. Checked: every attempt that started is in
the trace once; runs of a track nest; a flow leads from each run that made a value to the first run
that took the value, each with a number of its own; a run is as long as the worker itself counted;
failed, cancelled and returned runs carry their category. Both forms must tell the same. WORKERS
holds the lines of `plmctl workers --json`, of a log that was on since the boot: each process has as
many runs as it counted itself; runs that ended to go elsewhere it does not count. Exit code 1 and a line for each finding.
"""

import collections
import csv
import glob
import gzip
import json
import os
import struct
import sys

NS = 1e9
# A worker reads the clock once between two tasks; a run is at least a nanosecond long.
GRAIN_NS = 2
ENDS = ("done", "failed", "cancelled", "returned")
# PLM_RETURN_MEMORY and PLM_RETURN_ASKED: the runtime took the attempt back.
TAKEN_BACK = ("3", "4")

Run = collections.namedtuple("Run", "task attempt track start end categories name")

findings = []


def require(condition, text):
    if not condition:
        findings.append(text)


def read(path):
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        return file.read()


# ---- the events --------------------------------------------------------------------------------


class Events:
    """What transitions.csv says must be in a trace."""

    def __init__(self, path, whole):
        self.started, self.counted, self.how = {}, {}, {}
        self.edges, self.dead, self.taken_back = [], set(), set()
        done, known = set(), set()
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                key = (row["task"], int(row["attempt"]))
                # An object is sealed by no function; a further result has no name of its own here.
                if row["event"] == "submitted" or row["event"] == "sealed" and not row["function"]:
                    known.add(row["task"])
                if row["event"] == "started":
                    require(key not in self.started, f"{key} started twice")
                    self.started[key] = row["process"]
                elif row["event"] in ENDS and (key in self.started or self.ran(row)):
                    require(key not in self.how, f"{key} ended twice")
                    require(key in self.started or not whole, f"{key} ended without a start")
                    self.started.setdefault(key, row["process"])
                    self.how[key] = row["event"]
                    if row["event"] != "returned":
                        self.counted[key] = int(row["argument"])
                    elif row["argument"] in TAKEN_BACK:
                        self.taken_back.add(key)
                    if row["event"] == "done":
                        done.add(row["task"])
                elif row["event"] == "depends":
                    self.edges.append((row["other"], row["task"]))
                elif row["event"] == "dead":
                    self.dead.add(row["process"])
        # Where the events begin, or some were lost, ends without a start remain.
        began = {task for task, _ in self.started}
        for other, task in self.edges:
            require(other in known | began, f"{task} depends on {other}, of which nothing is told")
        self.edges = [(a, b) for a, b in self.edges if a in done and b in began]

    @staticmethod
    def ran(row):
        """An end tells the length of the run; nothing, if the task never started."""
        return row["event"] in ("done", "returned") or int(row["argument"]) > 0


# ---- Chrome's JSON -----------------------------------------------------------------------------


def nanoseconds(microseconds):
    return round(microseconds * 1000)


def of_json(data):
    """Runs, waits, and flows as {number: ([producers], [takers])}, points as (track, time)."""
    runs, waits = [], []
    flows = collections.defaultdict(lambda: ([], []))
    for e in json.loads(data)["traceEvents"]:
        track = (e["pid"], e["tid"])
        if e["ph"] == "X":
            start = nanoseconds(e["ts"])
            args = e.get("args", {})
            run = Run(args.get("task"), args.get("attempt"), track, start,
                      start + nanoseconds(e["dur"]), set(e["cat"].split(",")), e["name"])
            (runs if "task" in run.categories else waits).append(run)
        elif e["ph"] in "sf":
            flows[e["id"]][e["ph"] == "f"].append((track, nanoseconds(e["ts"])))
        elif e["ph"] == "C":
            require(all(value >= 0 for value in e["args"].values()), f"a negative counter: {e}")
    return runs, waits, flows


# ---- Perfetto's protobuf -----------------------------------------------------------------------


def varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return number, at


def fields(data):
    """{number: [values]} of a message."""
    ret, at = collections.defaultdict(list), 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif key & 7 == 2:
            length, at = varint(data, at)
            require(at + length <= len(data), "a message is longer than its packet")
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"a field of type {key & 7}")
        ret[key >> 3].append(value)
    return ret


class Interned:
    def __init__(self):
        self.text = {1: {}, 2: {}, 3: {}}  # categories, names of events, names of notes

    def learn(self, data):
        for kind, entries in fields(data).items():
            for entry in entries:
                f = fields(entry)
                self.text[kind][f[1][0]] = f[2][0].decode()


def of_perfetto(data):
    interned, tracks, stacks = Interned(), {}, collections.defaultdict(list)
    runs, waits = [], []
    flows = collections.defaultdict(lambda: ([], []))
    packets = []
    for packet in fields(data)[1]:
        p = fields(packet)
        for entry in p[12]:
            interned.learn(entry)
        for entry in p[60]:
            f = fields(entry)
            thread = fields(f[4][0]) if f[4] else None
            if thread:
                tracks[f[1][0]] = (thread[1][0], thread[2][0])
        if p[11]:
            packets.append((p[8][0], len(packets), fields(p[11][0])))
    for time, _, e in sorted(packets, key=lambda packet: packet[:2]):
        uuid = e[11][0]
        if e[9][0] == 1:
            notes = {interned.text[3][fields(n)[1][0]]: fields(n) for n in e[4]}
            name = e[23][0].decode() if e[23] else interned.text[2][e[10][0]]
            categories = {interned.text[1][iid] for iid in e[3]}
            stacks[uuid].append((time, name, categories, notes))
            for number in e[47]:
                flows[number][0].append((tracks[uuid], time))
            for number in e[48]:
                flows[number][1].append((tracks[uuid], time))
        elif e[9][0] == 2:
            start, name, categories, notes = stacks[uuid].pop()
            task = notes["task"][6][0].decode() if "task" in notes else None
            attempt = notes["attempt"][4][0] if "attempt" in notes else None
            run = Run(task, attempt, tracks[uuid], start, time, categories, name)
            (runs if "task" in categories else waits).append(run)
    require(not any(stacks.values()), "a slice of the protobuf has no end")
    return runs, waits, flows


def official(path):
    """Perfetto's own classes read the trace, where PyPI's package perfetto is installed."""
    sys.path += glob.glob("build/web-tools/venv/lib/python*/site-packages")
    try:
        from google.protobuf.unknown_fields import UnknownFieldSet
        from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace
    except ImportError:
        return "skipped: Perfetto's own classes: PyPI's package perfetto, tools/web_tools.sh gets it"
    trace = Trace()
    trace.ParseFromString(read(path))
    for packet in trace.packet:
        for message in (packet, packet.track_event, packet.track_descriptor):
            require(not len(UnknownFieldSet(message)), f"Perfetto knows no such field: {message}")
    return f"{len(trace.packet)} packets read by Perfetto's classes"


# ---- the verdict -------------------------------------------------------------------------------


def check_nesting(form, slices):
    tracks = collections.defaultdict(list)
    for run in slices:
        require(run.end > run.start, f"{form}: {run} has no length")
        tracks[run.track].append(run)
    for track, items in tracks.items():
        open_ends = []
        for run in sorted(items, key=lambda r: (r.start, -r.end)):
            while open_ends and open_ends[-1] <= run.start:
                open_ends.pop()
            require(not open_ends or run.end <= open_ends[-1],
                    f"{form}: runs of track {track} overlap at {run}")
            open_ends.append(run.end)


def run_at(by_track, point):
    """The innermost run of the track at this time."""
    track, time = point
    around = [r for r in by_track[track] if r.start <= time < r.end]
    return min(around, key=lambda r: r.end - r.start).task if around else None


def check(form, events, runs, waits, flows):
    # What ran before the first event and after the last has no attempt that the events tell.
    unseen = [r for r in runs if r.attempt == 0]
    require(all(r.categories & {"running", "end unknown"} for r in unseen),
            f"{form}: an ended run without an attempt")
    seen = collections.Counter((r.task, r.attempt) for r in runs if r.attempt)
    require(set(seen) == set(events.started),
            f"{form}: other attempts than the events tell: "
            f"{set(seen) ^ set(events.started)}")
    require(all(n == 1 for n in seen.values()), f"{form}: an attempt is told twice")
    check_nesting(form, runs + waits)
    by_track = collections.defaultdict(list)
    for run in runs:
        key = (run.task, run.attempt)
        by_track[run.track].append(run)
        how = events.how.get(key)
        bad = run.categories & {"failed", "cancelled", "returned"}
        require(how is None or bad == ({how} - {"done"}), f"{form}: {key} is {how}, not {bad}")
        if key in events.counted and events.started[key] not in events.dead:
            off = run.end - run.start - events.counted[key]
            require(abs(off) <= GRAIN_NS, f"{form}: {key} is {off} ns longer than counted")
    drawn = collections.Counter()
    for number, (makers, takers) in flows.items():
        require(len(makers) == 1 and len(takers) == 1, f"{form}: flow {number} forks")
        if len(makers) == 1 and len(takers) == 1:
            drawn[run_at(by_track, makers[0]), run_at(by_track, takers[0])] += 1
    require(drawn == collections.Counter(events.edges),
            f"{form}: the flows are not the edges: {drawn} for {events.edges}"[:500])
    return sorted((r.task, r.attempt, r.end - r.start, r.name) for r in runs)


def check_workers(path, runs, taken_back):
    """A worker counts each attempt when it ends, done or not, but for those taken back."""
    ran, done = collections.Counter(), collections.Counter()
    for run in runs:
        if run.categories & {"running", "end unknown"} or (run.task, run.attempt) in taken_back:
            continue
        ran[run.track[1]] += 1
        done[run.track[1]] += run.categories == {"task"}
    with open(path, encoding="utf-8") as file:
        for row in map(json.loads, file):
            pid, both = row["pid"], row["done"] + row["failed"]
            require((done[pid], ran[pid]) == (row["done"], both),
                    f"process {pid} counted {row['done']} done of {both} runs, and the trace has "
                    f"{done[pid]} of {ran[pid]}")


def main():
    directory, json_path, perfetto_path = sys.argv[1:4]
    events = Events(os.path.join(directory, "transitions.csv"), whole=len(sys.argv) > 4)
    of_file = of_json(read(json_path))
    one = check("json", events, *of_file)
    two = check("perfetto", events, *of_perfetto(read(perfetto_path)))
    require(one == two, "the two forms tell different runs")
    for workers in sys.argv[4:]:
        check_workers(workers, of_file[0], events.taken_back)
    note = official(perfetto_path)
    for finding in findings[:20]:
        print(f"trace_check: {finding[:150]}")
    print(f"{len(one)} runs, {len(events.edges)} flows, {len(findings)} findings; {note}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
