"""Each fault of the chaos once, in an order that a seed decides, while a ledger is kept."""

from __future__ import annotations

import os
import unittest

from chaos import run
from fleet_ledger import show
from fleet_world import main, redis_program


@unittest.skipUnless(redis_program(), "no Redis on this machine: apt-get install redis-tools")
class Chaos(unittest.TestCase):
    def test_no_task_is_lost_and_none_commits_twice(self) -> None:
        seed = int(os.environ.get("CHAOS_SEED", "1"))
        print(f"CHAOS_SEED={seed}")
        verdict = run(seed, minutes=0, once=True)
        print(show("chaos", verdict))
        self.assertEqual(verdict.wrong, [])


if __name__ == "__main__":
    main()
