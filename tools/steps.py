#!/usr/bin/env python3
"""steps.py - what the kill sweeps know of the shared steps of the source.

    steps.py kills     is there a sweep that kills at each?
    steps.py mutants   does each test that tests/sweeps/mutants names notice its broken rule? (a minute)
    steps.py search    is any step at all missed when it is left out, or done in the wrong order?
                       (15 minutes) --only TEXT: those whose names have it; --how HOW; --seconds N:
                       so many of them, by chance; --deep: with double faults (hours); --known:
                       are those of tests/sweeps/steps.known harmless, all of them?

What can be broken, and how: tests/support/mutate.h. How a step is named: tests/support/label.h. The
first and the last read the lists that the sweeps of the steps build (PROGRAM.steps, see
tests/support/seen.h) and the explorer (--reached) left beside the programs. A step that no sweep
kills at, or whose loss does no harm, stands with its reason in tests/sweeps/steps.known; a line
without need, or without a step, is a failure as well, so that the list tells the truth.
"""

import argparse
import collections
import concurrent.futures
import glob
import os
import random
import subprocess
import sys
import time

SWEEPS = "build/steps/tests/sweeps"
STEPS = SWEEPS + "/sweep_*.steps"
EXPLORER = "build/explore/verify/explore/explore"
EXPLORER_SEEDS = 1000  # of each scenario that comes to the step
KNOWN = "tests/sweeps/steps.known"
MUTANTS = "tests/sweeps/mutants"
SLOWEST_S = 300
NOTICED, NOTHING_SWEPT = 1, 3  # exit codes
OURS = ("tests/", "verify/", "bench/")
HOWS = ("left out", "late", "early")

# A step is its label (tests/support/label.h): "MODULE: OPERATION FIELD".
Mutant = collections.namedtuple("Mutant", "how step")


class Seen:
    """The steps there are, and where victims have died."""

    def __init__(self):
        self.places = collections.defaultdict(set)  # step: the FILE:LINE it stands at
        self.killed = collections.defaultdict(dict)  # FILE:LINE: {(program, operation): how}
        self.sweeps = collections.defaultdict(set)  # step: {(program, operation, how)}
        self.cost = collections.Counter()  # (program, operation): the steps it comes to
        for path in sorted(glob.glob(STEPS)):
            self.read(path)
        self.scenarios = collections.defaultdict(set)  # step: {scenario}

    def read_explorer(self):
        with open(EXPLORER + ".steps", encoding="utf-8") as file:
            for line in file:
                operation, how, place, step = line.rstrip("\n").split("\t")
                if how == "reached" and not place.startswith(OURS):
                    self.scenarios[step].add(operation)

    def read(self, path):
        program = path[: -len(".steps")]
        with open(path, encoding="utf-8") as file:
            for line in file:
                operation, how, place, step = line.rstrip("\n").split("\t")
                if place.startswith(OURS):
                    continue
                self.places[step].add(place)
                if how == "there":
                    continue
                self.killed[place, step].setdefault((program, operation), how)
                self.sweeps[step].add((program, operation, how))
                self.cost[program, operation] += 1


def read_known():
    """[{what it is for, pattern, reason, used}]"""
    known = []
    with open(KNOWN, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            what, pattern, reason = line.split("\t")
            known.append({"what": what, "pattern": pattern, "reason": reason, "used": False})
    return known


def matches(pattern, text):
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def excused(known, what, step):
    also = ("order", "left out") if what in ("late", "early") else ()
    for entry in known:
        if (entry["what"] == what or entry["what"] in also) and matches(entry["pattern"], step):
            entry["used"] = True
            return entry
    return None


def close(passed, failed):
    print(f"{passed} passed, {failed} failed")
    return failed > 0


# ---- is there a sweep that kills at each? ----


def kills(_):
    seen, known = Seen(), read_known()
    passed = failed = excuses = 0
    for step, places in sorted(seen.places.items(), key=lambda item: sorted(item[1])):
        for place in sorted(places):
            if step.endswith("?"):
                failed += 1
                print(f"  {place}: the step has no label: name it by a last argument (shm/steps.h)")
            elif (place, step) in seen.killed:
                passed += 1
            elif excused(known, "kill", step):
                excuses += 1
            else:
                failed += 1
                print(f"  no sweep kills at {place}, {step}")
    for entry in known:
        if not any(matches(entry["pattern"], step) for step in seen.places):
            failed += 1
            print(f"  {KNOWN}: no such step: {entry['pattern']}")
        elif entry["what"] == "kill" and not entry["used"]:
            failed += 1
            print(f"  {KNOWN}: no need for: {entry['pattern']}")
    print(f"shared steps of the source: {passed} are killed at, {excuses} have a reason not to be")
    return close(passed + excuses, failed)


# ---- is a broken rule noticed? ----


def broken(argv, rule, **more):
    """The exit code of who is to notice it; a hang is noticed, too."""
    env = dict(os.environ, PLM_MUTATE=rule, **more)
    try:
        ended = subprocess.run(argv, env=env, capture_output=True, timeout=SLOWEST_S, check=False)
    except subprocess.TimeoutExpired:
        return NOTICED
    return NOTICED if ended.returncode < 0 else ended.returncode


def sweep_notices(program, operation, rule, **more):
    return broken([program], rule, PLM_SWEEP_ONLY=operation, **more)


def explorer_notices(scenario, seeds, rule):
    return broken([EXPLORER, "--scenario", scenario, "--seeds", str(seeds)], rule)


def in_two(work, items):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield from pool.map(work, items)


# ---- those of the list ----


def read_mutants():
    """[(rule, who, where, why)]"""
    with open(MUTANTS, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                how, step, by, why = line.split("\t")
                who, where = by.split(": ", 1)
                yield f"{how}: {step}", who, where, why


def listed(mutant):
    rule, who, where, _ = mutant
    if who == "explorer":
        scenario, seeds = where.split()
        return mutant, explorer_notices(scenario, seeds, rule)
    return mutant, sweep_notices(f"{SWEEPS}/{who}", where, rule)


def mutants(_):
    passed = failed = 0
    by = collections.Counter()
    for (rule, who, where, why), code in in_two(listed, list(read_mutants())):
        if code == NOTICED:
            passed += 1
            by["explorer" if who == "explorer" else "sweeps"] += 1
            print(f"  {rule}: {who}, {where}")
        else:
            failed += 1
            what = "NOBODY COMES TO IT" if code == NOTHING_SWEPT else "NOT NOTICED"
            print(f"  {what}: {rule}: {who}, {where} ({why})")
        sys.stdout.flush()
    print(f"broken rules: {by['sweeps']} noticed by sweeps, {by['explorer']} by the explorer")
    return close(passed, failed)


# ---- all there are ----


def notice(mutant, seen, deep):
    """Who noticed it, or None. The cheapest first."""
    rule = f"{mutant.how}: {mutant.step}"
    sweeps = seen.sweeps[mutant.step]
    operations = sorted({(p, o) for p, o, _ in sweeps}, key=lambda s: (seen.cost[s], s))
    if mutant.how == "left out":
        # Those killed at the step itself first, those that need it in a recovery after.
        killed = {(p, o) for p, o, how in sweeps if how == "killed"}
        operations.sort(key=lambda s: s not in killed)
    for program, operation in operations:
        if sweep_notices(program, operation, rule) == NOTICED:
            return f"{os.path.basename(program)}, {operation}"
    if mutant.how == "left out":
        for scenario in sorted(seen.scenarios[mutant.step]):
            if explorer_notices(scenario, EXPLORER_SEEDS, rule) == NOTICED:
                return f"explorer, {scenario}"
    for program, operation in operations if deep else []:
        if sweep_notices(program, operation, rule, PLM_MUTATE_DEEP="1") == NOTICED:
            return f"{os.path.basename(program)}, {operation}, a double fault"
    return None


def may_be_broken(how, step):
    if step.split()[1] in ("store", "poke", "set", "rewrite", "or", "and", "add", "swap", "cas"):
        return True
    return how == "left out" and step == "steps: futex wake"


def mutants_of(seen, asked):
    for step in sorted(set(seen.sweeps) | set(seen.scenarios)):
        for how in HOWS:
            if asked.how and how != asked.how or asked.only and asked.only not in step:
                continue
            if may_be_broken(how, step):
                yield Mutant(how, step)


def judge(mutant, who, known):
    """Says so; true if that is as it should be."""
    harmless = excused(known, mutant.how, mutant.step)
    exact = harmless and harmless["what"] == mutant.how and harmless["pattern"][-1] != "*"
    right = True
    if who and exact:
        print(f"  {KNOWN}: no need for: {mutant.how}: {mutant.step}: {who} notices it")
        right = False
    elif not who and not harmless:
        print(f"  NOT NOTICED: {mutant.how}: {mutant.step}")
        right = False
    else:
        print(f"  {mutant.how}: {mutant.step}: {who or 'harmless'}")
    sys.stdout.flush()
    return right


def search(asked):
    seen, known = Seen(), read_known()
    seen.read_explorer()
    chosen = [m for m in mutants_of(seen, asked) if asked.known or not excused(known, *m)]
    if asked.seconds:
        random.shuffle(chosen)
    deadline = time.monotonic() + (asked.seconds or 1e9)
    passed = failed = 0

    def one(mutant):
        late = time.monotonic() > deadline
        return mutant, None if late else notice(mutant, seen, asked.deep), late

    for mutant, who, late in in_two(one, chosen):
        if not late:
            right = judge(mutant, who, known)
            passed += right
            failed += not right
    print(f"{passed + failed} of {len(chosen)} mutants")
    return close(passed, failed)


def main():
    parser = argparse.ArgumentParser(description="what the kill sweeps know of the shared steps")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("kills").set_defaults(act=kills, wants=STEPS)
    commands.add_parser("mutants").set_defaults(act=mutants, wants=EXPLORER)
    command = commands.add_parser("search")
    command.add_argument("--seconds", type=int)
    command.add_argument("--only")
    command.add_argument("--how", choices=HOWS)
    command.add_argument("--deep", action="store_true")
    command.add_argument("--known", action="store_true")
    command.set_defaults(act=search, wants=EXPLORER + ".steps")
    asked = parser.parse_args()
    if not glob.glob(asked.wants):
        print(f"steps: there is no {asked.wants}: make crash, mutants and explore make what this "
            "reads", file=sys.stderr)
        return 1
    return asked.act(asked)


if __name__ == "__main__":
    sys.exit(main())
