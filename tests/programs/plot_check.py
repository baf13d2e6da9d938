#!/usr/bin/env python3
"""plot_check.py - the tables of `plmctl plot --csv DIRECTORY` must agree with each other: tasks
that ended, time in runs, the level of running tasks, functions, histogram, percentiles. Exit code 1
and a line for each finding.

    plot_check.py DIRECTORY
"""

import csv
import os
import sys

findings = []


def require(condition, text):
    if not condition:
        findings.append(text)


def near(one, two, what):
    require(abs(one - two) <= 1e-3 * max(one, two) + 1e-3, f"{what}: {one} and {two}")


def table(name):
    with open(os.path.join(sys.argv[1], name + ".csv"), newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def length(row, begin, end):
    return float(row[end]) - float(row[begin])


def main():
    runs, series, functions = table("runs"), table("series"), table("functions")
    started = [row for row in runs if row["start_s"]]
    settled = [row for row in runs if row["ended"] in ("done", "failed", "cancelled")]
    done = [row for row in settled if row["ended"] == "done"]
    require(sum(int(w["ended"]) for w in series) == len(settled), "ended tasks: series and runs")
    require(sum(int(w["not_done"]) for w in series) == len(settled) - len(done),
            "tasks not done: series and runs")
    near(sum(float(b["busy_share"]) * length(b, "from_s", "to_s") for b in table("busy")),
         sum(length(r, "start_s", "end_s") for r in started if r["depth"] == "0"), "busy time")
    near(sum(float(w["running_mean"]) * length(w, "from_s", "to_s") for w in series),
         sum(length(r, "start_s", "end_s") for r in started), "running tasks")
    ended = [row for row in started if row["ended"] not in ("running", "end unknown")]
    require(sum(int(f["runs"]) for f in functions) == len(ended), "runs: functions and runs")
    require(sum(int(h["runs"]) for h in table("histogram")) == len(ended),
            "runs: histogram and runs")
    percentiles = [float(row["run_s"]) for row in table("latency")]
    require(percentiles == sorted(percentiles), "percentiles do not grow")
    if done:
        longest = max(length(r, "start_s", "end_s") for r in done)
        require(abs(percentiles[-1] - longest) < 1e-6, f"longest: {percentiles[-1]}, {longest}")
    require(len(table("transitions")) > len(started), "fewer events than runs")
    for finding in findings:
        print(f"plot_check: {finding}")
    print(f"{len(runs)} runs, {len(series)} windows, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
