#!/usr/bin/env python3
"""steps.py - what the kill sweeps know of the shared steps of the source.

    steps.py kills            is there a sweep that kills at each?
    steps.py mutants          does a test notice when one is left out, or done one step late?
                              --seconds N: so many of them, by chance; --only TEXT: those that name it

Both read what the sweeps of the steps build left beside them, PROGRAM.steps (tests/seen.h). A step
that cannot be killed at, or whose loss does no harm, stands with its reason in tests/steps.known;
one that stands there without need is a failure as well, so that the list tells the truth.
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

STEPS = "build/steps/tests/sweep_*.steps"
EXPLORER = "build/explore/explore/explore"
EXPLORER_SEEDS = 1500  # of each scenario, for a mutant no sweep has noticed
KNOWN = "tests/steps.known"
SLOWEST_S = 120

Step = collections.namedtuple("Step", "function what")
Mutant = collections.namedtuple("Mutant", "how step")


def name(step):
    return f"{step.function}: {step.what}"


class Seen:
    """The steps there are, and where victims have died."""

    def __init__(self):
        self.places = collections.defaultdict(set)  # step: the FILE:LINE it stands at
        self.killed = collections.defaultdict(dict)  # FILE:LINE: {(program, operation): how}
        self.sweeps = collections.defaultdict(set)  # step: {(program, operation)}
        for path in sorted(glob.glob(STEPS)):
            self.read(path)

    def read(self, path):
        program = path[: -len(".steps")]
        with open(path, encoding="utf-8") as file:
            for line in file:
                operation, how, place, function, what = line.rstrip("\n").split("\t")
                step = Step(function, what)
                if place.startswith(("tests/", "explore/", "bench/")):
                    continue
                self.places[step].add(place)
                if how == "there":
                    continue
                self.killed[place, step].setdefault((program, operation), how)
                self.sweeps[step].add((program, operation, how))


def read_known():
    """[(what for: "kill", "left out" or "late"; pattern; reason; used)]"""
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
    for entry in known:
        if entry["what"] == what and matches(entry["pattern"], name(step)):
            entry["used"] = True
            return True
    return False


def close(passed, failed):
    print(f"{passed} passed, {failed} failed")
    return failed > 0


# ---- is there a sweep that kills at each? ----


def kills(_):
    seen, known = Seen(), read_known()
    passed = failed = excuses = 0
    for step, places in sorted(seen.places.items(), key=lambda item: sorted(item[1])):
        for place in sorted(places):
            if (place, step) in seen.killed:
                passed += 1
            elif excused(known, "kill", step):
                excuses += 1
            else:
                failed += 1
                print(f"  no sweep kills at {place}, {name(step)}")
    for entry in known:
        if entry["what"] == "kill" and not entry["used"]:
            failed += 1
            print(f"  {KNOWN}: no need for: {entry['pattern']}")
    print(f"shared steps of the source: {passed} are killed at, {excuses} have a reason not to be")
    return close(passed + excuses, failed)


# ---- is a broken rule noticed? ----


def run(argv, rule, only=None):
    """True if it noticed."""
    env = dict(os.environ, PLM_MUTATE=rule)
    if only:
        env["PLM_SWEEP_ONLY"] = only
    try:
        ended = subprocess.run(argv, env=env, capture_output=True, timeout=SLOWEST_S, check=False)
    except subprocess.TimeoutExpired:
        return True  # a hang is noticed
    return ended.returncode != 0


def notice(mutant, sweeps):
    """Who noticed it, or None."""
    rule = f"{mutant.how}: {name(mutant.step)}"
    # An operation that is killed at the step itself first; one that needs it in a recovery after.
    for program, operation, _ in sorted(sweeps, key=lambda s: (s[2] != "killed", s)):
        if run([program], rule, operation):
            return f"{os.path.basename(program)}, {operation}"
    if mutant.how == "left out" and os.path.exists(EXPLORER):
        if run([EXPLORER, "--seeds", str(EXPLORER_SEEDS)], rule):
            return "explorer"
    return None


def may_be_late(step):
    return step.what.split()[0] in ("store", "poke", "set", "or", "and", "add")


def can_be_left_out(step):
    return step.what.split()[0] in ("store", "poke", "set", "or", "and", "add", "swap", "cas") or (
        step.what == "futex wake"
    )


def mutants_of(seen, only):
    for step in sorted(seen.sweeps):
        if only and only not in name(step):
            continue
        if can_be_left_out(step):
            yield Mutant("left out", step)
        if may_be_late(step):
            yield Mutant("late", step)


def judge(mutant, who, known):
    """True if that is as it should be."""
    harmless = excused(known, mutant.how, mutant.step)
    if who and harmless:
        print(f"  {KNOWN}: no need for: {mutant.how}: {name(mutant.step)}: {who} notices it")
    elif not who and not harmless:
        print(f"  NOT NOTICED: {mutant.how}: {name(mutant.step)}")
    else:
        print(f"  {mutant.how}: {name(mutant.step)}: {who or 'harmless'}")
    sys.stdout.flush()
    return bool(who) != harmless


def mutants(asked):
    seen, known = Seen(), read_known()
    chosen = list(mutants_of(seen, asked.only))
    if asked.seconds:
        random.shuffle(chosen)
    deadline = time.monotonic() + (asked.seconds or 1e9)
    passed = failed = 0

    def one(mutant):
        if time.monotonic() > deadline:
            return None
        return judge(mutant, notice(mutant, seen.sweeps[mutant.step]), known)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for right in pool.map(one, chosen):
            passed += right is True
            failed += right is False
    print(f"{passed + failed} of {len(chosen)} mutants")
    return close(passed, failed)


def main():
    parser = argparse.ArgumentParser(description="what the kill sweeps know of the shared steps")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("kills").set_defaults(act=kills)
    command = commands.add_parser("mutants")
    command.add_argument("--seconds", type=int)
    command.add_argument("--only")
    command.set_defaults(act=mutants)
    asked = parser.parse_args()
    if not glob.glob(STEPS):
        print(f"steps: there is no {STEPS}: run `make crash` first", file=sys.stderr)
        return 1
    return asked.act(asked)


if __name__ == "__main__":
    sys.exit(main())
