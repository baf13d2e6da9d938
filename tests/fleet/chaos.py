"""chaos.py - hosts and Redis die, stop and lose each other at random while a ledger is kept
(`make fleet-chaos MINUTES=N`).

    python3 tests/fleet/chaos.py [--minutes N] [--seed S] [--once]

--once: each fault one time, in an order that the seed decides. Exit code 1: a task was lost, was
committed twice, or ran where it must not.
"""

from __future__ import annotations

import argparse
import time

from fleet_faults import Chaos
from fleet_ledger import Verdict, show
from fleet_world import World, redis_program


def run(seed: int, minutes: float, once: bool) -> Verdict:
    with World("chaos") as world:
        chaos = Chaos(world, seed)
        # Longer than many leases, and no option says so.
        chaos.ledger.load(1, 6 * world.lease_s)
        end = time.monotonic() + minutes * 60
        kinds = chaos.kinds()
        chaos.chance.shuffle(kinds)
        while kinds and (once or time.monotonic() < end):
            if once:
                chaos.strike(kinds.pop())
            elif chaos.chance.random() < 0.3:
                chaos.strike(chaos.chance.choice(chaos.lasting()), chaos.chance.choice(kinds))
            else:
                chaos.strike(chaos.chance.choice(kinds))
        return chaos.ledger.judge()


def main() -> int:
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=1.0)
    p.add_argument("--seed", type=int, default=int(time.time()))
    p.add_argument("--once", action="store_true")
    words = p.parse_args()
    if not redis_program():
        print("left out: chaos in a fleet: no Redis here (apt-get install redis-tools)")
        return 0
    print(f"seed {words.seed}", flush=True)
    verdict = run(words.seed, words.minutes, words.once)
    for line in verdict.wrong:
        print(f"WRONG: {line}")
    print(show("chaos", verdict))
    print(f"{int(not verdict.wrong)} passed, {int(bool(verdict.wrong))} failed")
    return int(bool(verdict.wrong))


if __name__ == "__main__":
    raise SystemExit(main())
