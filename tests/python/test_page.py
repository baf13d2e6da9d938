"""The examples of docs/python.md print what the page says.

Each block of Python in the page is a program; the block of text behind it is the whole output. A
block without such a text prints nothing.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support

PAGE = support.ROOT / "docs" / "python.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```\n", re.M | re.S)
HEADING = re.compile(r"^#+ (.*)", re.M)
RECIPES = 10


def examples(page: str) -> list[tuple[str, str, str]]:
    """Name, program and output of each example of a page."""
    blocks = list(BLOCK.finditer(page))
    found = []
    for at, block in enumerate(blocks):
        if block[1] != "python":
            continue
        heading = HEADING.findall(page[: block.start()])[-1]
        output = ""
        if at + 1 < len(blocks):
            behind = blocks[at + 1]
            if behind[1] == "text" and not page[block.end() : behind.start()].strip():
                output = behind[2]
        found.append((heading, block[2], output))
    return found


def missing(program: str) -> str | None:
    """A package that a program imports and that is not installed here."""
    for name in re.findall(r"^\s*(?:import|from) (\w+)", program, re.M):
        if name != "plm" and importlib.util.find_spec(name) is None:
            return str(name)
    return None


class Page(unittest.TestCase):
    def test_the_page_has_its_recipes(self) -> None:
        recipes = PAGE.read_text().partition("\n## Ten recipes\n")[2].partition("\n## ")[0]
        self.assertEqual(len(re.findall(r"^### ", recipes, re.M)), RECIPES)
        self.assertEqual(len(examples(recipes)), RECIPES)

    def run_example(self, program: str, output: str) -> None:
        with tempfile.TemporaryDirectory(prefix="plm-page-") as folder:
            path = Path(folder, "example.py")
            path.write_text(program)
            done = subprocess.run(
                [sys.executable, "-X", "dev", path.name],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        self.assertEqual((done.stdout, done.returncode), (output, 0), done.stderr)
        self.assertNotIn("ResourceWarning", done.stderr)


def _test(program: str, output: str) -> object:
    def test(self: Page) -> None:
        name = missing(program)
        if name is not None:
            self.skipTest(f"{name} is not installed")
        self.run_example(program, output)

    return test


for _number, (_heading, _program, _output) in enumerate(examples(PAGE.read_text())):
    _name = re.sub(r"\W+", "_", _heading.lower()).strip("_")
    setattr(Page, f"test_example_{_number:02}_{_name}", _test(_program, _output))


if __name__ == "__main__":
    support.main()
