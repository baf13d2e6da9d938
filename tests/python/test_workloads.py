"""The Python programs of examples/workloads yield what numpy, a loop and sort yield, also while
workers are killed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support

WORKLOADS = support.ROOT / "examples" / "workloads"


class Programs(unittest.TestCase):
    def said(self, *words: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, timeout=300, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not installed")
    def test_matrices_are_those_of_numpy(self) -> None:
        said = self.said(sys.executable, WORKLOADS / "matrix" / "matrix.py", "check")
        self.assertIn("all results are right", said)

    def test_words_are_those_of_a_loop_and_of_sort(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{n}.txt") for n in range(40)]
            for n, path in enumerate(paths):
                path.write_text(
                    "to be or not to be\nthat is the question\n" * (n + 1) + "x" * n + "\n"
                )
            program = WORKLOADS / "words" / "words.py"
            self.assertIn("are right", self.said(sys.executable, program, "check", *paths))
            counted = self.said(sys.executable, program, "count", *paths)
            script = WORKLOADS / "words" / "words.sh"
            self.assertEqual(counted, self.said(script, "sort", *paths))
            index = self.said(sys.executable, program, "index", *paths[:2])
            self.assertIn("question 1:1 4097:1 4099:1\n", index)


if __name__ == "__main__":
    support.main()
