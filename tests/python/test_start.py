"""Programs and workers load slow modules late: milliseconds count at the start."""

from __future__ import annotations

import subprocess
import sys
import unittest

import support

# Each module takes a millisecond or more. Most programs and workers never need the module.
NAMES = "asyncio concurrent.futures enum hashlib logging numpy pathlib re random traceback typing"
SLOW = frozenset(NAMES.split())


def loaded(statement: str) -> set[str]:
    """The modules of SLOW that the statement loads in a fresh interpreter."""
    text = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*set(sys.modules) - before)"
    words = [sys.executable, "-S", "-c", text]  # -S: no modules of the machine
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return set(done.stdout.split()) & SLOW


class Starts(unittest.TestCase):
    """Imports."""

    def test_a_program_that_imports_plm_loads_no_slow_module(self) -> None:
        self.assertEqual(loaded("import plm"), set())

    def test_a_worker_loads_no_slow_module_before_its_first_task(self) -> None:
        self.assertEqual(loaded("import plm._zygote, plm._worker"), set())


if __name__ == "__main__":
    support.main()
