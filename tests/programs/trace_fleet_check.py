#!/usr/bin/env python3
"""trace_fleet_check.py - judges a trace of a fleet by what its queue and its tasks tell.

    trace_fleet_check.py TASKS TRACE.json TRACE.pftrace [MISSING]

TASKS holds the lines of `plmctl info --json`. The last word of each command is the file into which
the task wrote the wall clock while it ran. Checked: each task of a host that answered is in the trace
once, on a track of the host that ran it; it ran when it says it did; a task begins after the end of
the tasks it waited for, and an arrow leads from them to it; nothing is there of the host MISSING.
Exit code 1 and a line for each finding.
"""

import collections
import json
import sys

# The shell reads its clock a moment after the begin of a task and before its end, and the offset of
# a clock on one machine is known to less than this.
UNCERTAIN_S = 0.005
# The numbers of a trace are decimals, which are not exact when added.
GRAIN_S = 1e-8

findings = []


def require(condition, text):
    if not condition:
        findings.append(text)


class Trace:
    """The runs of a trace by task, the hosts of tracks, arrows; seconds since its begin."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
        require(trace["otherData"]["clock"] == "Redis", "the clock is not that of Redis")
        self.begin = int(trace["otherData"]["wall_offset_ns"]) / 1e9
        self.host, self.runs = {}, collections.defaultdict(list)
        self.begun, self.ended = {}, {}
        for event in trace["traceEvents"]:
            if event["ph"] == "M" and event["name"] == "process_name":
                self.host[event["pid"]] = event["args"]["name"].rsplit(": ", 1)[0]
            place = event["pid"], event["tid"]
            if event["ph"] == "X" and "task" in event.get("args", {}):
                since = event["ts"] / 1e6
                run = (place, since, since + event["dur"] / 1e6)
                self.runs[event["args"]["task"]].append(run)
            if event["ph"] == "s":
                self.begun[event["id"]] = place, event["ts"] / 1e6
            if event["ph"] == "f":
                self.ended[event["id"]] = place, event["ts"] / 1e6

    def arrow(self, one, other):
        """Whether an arrow leads from one run to the other."""
        for number, (place, when) in self.begun.items():
            to = self.ended.get(number)
            if place == one[0] and one[1] <= when <= one[2] + GRAIN_S and to and to[0] == other[0]:
                if other[1] - GRAIN_S <= to[1] <= other[2]:
                    return True
        return False


def check(tasks, trace, missing):
    hosts = set()
    for ref, task in tasks.items():
        runs = trace.runs.get(ref, [])
        if task["host"] == missing:
            require(not runs, f"{ref} ran on {missing}, which did not answer, and is there")
            continue
        require(len(runs) == 1, f"{ref} is {len(runs)} times in the trace")
        if len(runs) != 1:
            continue
        (pid, _), since, until = runs[0]
        hosts.add(task["host"])
        require(trace.host[pid] == task["host"], f"{ref} is on a track of {trace.host[pid]}")
        with open(task["command"].split()[-1], encoding="utf-8") as file:
            told = float(file.read()) - trace.begin
        require(
            since - UNCERTAIN_S <= told <= until + UNCERTAIN_S,
            f"{ref} ran at {told:.6f}, the trace says {since:.6f} to {until:.6f}",
        )
        epoch = ref.split(".")[2]
        for before in (f"@{int(number):x}.1.{epoch}" for number in (task["after"] or "").split()):
            former = trace.runs.get(before, [])
            if not former:
                continue
            require(former[0][2] <= since + UNCERTAIN_S, f"{ref} begins before {before} ends")
            require(trace.arrow(former[0], runs[0]), f"no arrow from {before} to {ref}")
    return hosts


def main():
    path, json_path, perfetto_path = sys.argv[1:4]
    missing = sys.argv[4] if len(sys.argv) > 4 else None
    with open(path, encoding="utf-8") as file:
        tasks = {task["ref"]: task for task in map(json.loads, file)}
    trace = Trace(json_path)
    hosts = check(tasks, trace, missing)
    require(len(hosts) >= 2, f"only {hosts} ran tasks, which proves little")
    require(set(trace.runs) <= set(tasks), "the trace has tasks that the queue does not know")
    with open(perfetto_path, "rb") as file:
        packed = file.read()
    for host in hosts:
        require(f"{host}: worker 0".encode() in packed, f"no track of {host} in {perfetto_path}")
    for ref in trace.runs:
        require(packed.count(ref.encode()) == 1, f"{ref} is not once in {perfetto_path}")
    print("\n".join(findings))
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
