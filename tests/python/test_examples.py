"""The programs and the notebook of examples/python/ do what they say."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import support

EXAMPLES = support.ROOT / "examples" / "python"


def run(*words: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        input=program,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Programs(unittest.TestCase):
    def output(self, *words: str) -> str:
        done = run(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_demo_shows_each_of_its_lines(self) -> None:
        lines = self.output(str(EXAMPLES / "demo.py")).splitlines()
        for words, line in zip(
            (
                "Python: plm.Executor",
                "first result 36",
                "sum 45",
                "WorkerDied; the others go on: [0, 1, 4, 9, 16]",
                "TimeoutError",
                "100,000 calls",
            ),
            lines,
            strict=True,
        ):
            self.assertIn(words, line)

    def test_word_count_merges_the_counts_of_all_files(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder, f"{n}.txt") for n in range(7)]
            for path in paths:
                path.write_text("To be or not to be, that is the question\n" * 3)
            found = self.output(str(EXAMPLES / "word_count.py"), *map(str, paths))
        self.assertEqual(found.splitlines()[:2], ["    42 to", "    42 be"])

    def test_the_tools_are_a_module(self) -> None:
        tools = str(EXAMPLES / "tools.py")
        with support.runtime("tools", "--module", tools) as name:
            self.assertEqual(support.ctl("call", "tools.upper", "hello", name=name), "HELLO")
            ref = support.ctl("put", tools, name=name).strip()
            count = Path(tools).read_text().count("\n")
            self.assertEqual(support.ctl("call", "tools.lines", ref, name=name), str(count))


class Notebook(unittest.TestCase):
    def cells(self) -> list[dict[str, Any]]:
        notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text())
        return [c for c in notebook["cells"] if c["cell_type"] == "code"]

    @unittest.skipUnless(importlib.util.find_spec("numpy"), "numpy is not installed")
    @unittest.skipUnless(importlib.util.find_spec("cloudpickle"), "cloudpickle is not installed")
    def test_the_cells_print_what_the_notebook_shows(self) -> None:
        # From the standard input, so that __main__ has no file, as in a notebook.
        program = "\n\n".join("".join(cell["source"]) for cell in self.cells())
        shown = "".join("".join(o["text"]) for cell in self.cells() for o in cell["outputs"])
        done = run("-", program=program)
        self.assertEqual((done.stdout, done.returncode), (shown, 0), done.stderr)


if __name__ == "__main__":
    support.main()
