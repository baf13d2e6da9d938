"""Python files as modules of a runtime (plm/_modules.py, manager/loader_python.c)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import support

import plm

TOOLS = '''
import neighbour
import plm

def add(*numbers):
    """NUMBER...: the sum"""
    return str(sum(int(n) for n in numbers))

def kinds(*arguments):
    return " ".join(type(a).__name__ for a in arguments)

def length(data):
    return bytearray(str(len(data)).encode())

def nothing():
    pass

def number():
    return 7

@plm.remote
def remote(x):
    return b"<" + x + b">"

def total(n):
    """Submits tasks of its own, and waits for them."""
    refs = [plm.call("tools.add", str(k), "1") for k in range(int(n))]
    return str(sum(int(bytes(v)) for v in plm.get(refs)))

def _private():
    return b"private"

from json import dumps
'''


class Modules(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="plm-modules-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.write("neighbour", "")
        self.tools = self.write("tools", TOOLS)

    def write(self, name: str, text: str) -> str:
        path = self.folder / f"{name}.py"
        path.write_text(textwrap.dedent(text))
        return str(path)

    def test_public_functions_are_functions_of_the_runtime(self) -> None:
        with support.runtime("module", "--module", self.tools) as name:
            listed = support.ctl("functions", name=name).split()
            found = {word for word in listed if word.startswith("tools.")}
        wanted = "add kinds length nothing number remote total"
        self.assertEqual(found, {f"tools.{word}" for word in wanted.split()})

    def test_the_shell_calls_them_with_words_and_futures(self) -> None:
        with support.runtime("module", "--module", self.tools) as name:
            self.assertEqual(support.ctl("call", "tools.add", "1", "2", name=name), "3")
            first = support.ctl("call", "--detach", "tools.add", "1", "2", name=name).strip()
            self.assertEqual(support.ctl("call", "tools.add", first, "10", name=name), "13")
            kinds = support.ctl("call", "tools.kinds", first, "10", name=name)
            self.assertEqual(kinds, "memoryview bytes")
            self.assertEqual(support.ctl("call", "tools.length", "12345", name=name), "5")
            self.assertEqual(support.ctl("call", "tools.nothing", name=name), "")
            self.assertEqual(support.ctl("call", "tools.remote", "x", name=name), "<x>")

    def test_python_calls_them_by_name(self) -> None:
        with support.runtime("module", "--module", self.tools) as name:
            plm.connect(name)
            try:
                self.assertEqual(bytes(plm.get(plm.call("tools.add", "1", "2"))), b"3")
                self.assertEqual(bytes(plm.get(plm.call("tools.total", "4"))), b"10")
            finally:
                plm.disconnect()

    def test_failures_of_a_call_have_reasons(self) -> None:
        with support.runtime("module", "--module", self.tools) as name:
            for words, reason in (
                (("tools.add", "x"), "ValueError: invalid literal"),
                (("tools.number",), "TypeError: tools.number returned int"),
                (("tools.length",), "missing 1 required positional argument"),
            ):
                self.assertIn(reason, support.ctl("call", *words, name=name))

    def test_a_file_that_cannot_be_a_module_is_refused_with_the_reason(self) -> None:
        cases = {
            "import nosuch": "ModuleNotFoundError: No module named 'nosuch'",
            "def f(:": "SyntaxError",
            "x = 1": "has no public function",
            "import os; os._exit(3)": "exit code 3",
            "import os; os.kill(os.getpid(), 9)": "signal 9",
            "raise SystemExit(4)": "SystemExit: 4",
        }
        with support.runtime("module") as name:
            for number, (text, reason) in enumerate(cases.items()):
                path = self.write(f"bad{number}", text)
                self.assertIn(reason, support.ctl("module", "load", path, name=name), text)
            taken = self.write("probe", "def f(): pass")
            self.assertIn("probe", support.ctl("module", "load", taken, name=name))
            self.assertNotIn("bad", support.ctl("functions", name=name))
            self.assertEqual(support.ctl("module", "load", self.tools, name=name), "")
            self.assertEqual(support.ctl("call", "tools.add", "1", "2", name=name), "3")

    def test_a_file_that_hangs_ends_with_the_module_limit(self) -> None:
        path = self.write("hangs", "import time; time.sleep(600)")
        with support.runtime("module", "--module-limit", "1s") as name:
            self.assertIn("did not end", support.ctl("module", "load", path, name=name))
            self.assertEqual(support.ctl("module", "load", self.tools, name=name), "")

    def test_a_boot_with_a_bad_file_fails_with_the_reason(self) -> None:
        path = self.write("bad", "import nosuch")
        for words, reason in (
            (
                ["--python", sys.executable, "--module", path],
                "No module named 'nosuch'",
            ),
            (["--module", self.tools], "boot with plm --python"),
        ):
            done = subprocess.run(
                [
                    support.PROGRAMS / "plm",
                    "--name",
                    "test-module-bad",
                    "--fresh",
                    *words,
                ],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(reason, done.stderr)

    def test_a_worker_without_an_interpreter_says_what_is_needed(self) -> None:
        kinds = f"python={sys.executable} x1; box=1 x1"
        with support.runtime(
            "module", "--workers", kinds, "--module", self.tools, python=None
        ) as name:
            refused = support.ctl("call", "--needs", "box=1", "tools.add", "1", name=name)
            self.assertIn("python=1", refused)
            found = support.ctl("call", "--needs", "python=1", "tools.add", "1", name=name)
            self.assertEqual(found, "1")

    def test_a_function_that_vanished_is_named(self) -> None:
        with support.runtime("module", "--module", self.tools) as name:
            self.write("tools", "def add(*numbers):\n    return b''\n")
            found = support.ctl("call", "tools.kinds", name=name)
            self.assertIn("has no function 'kinds' any more", found)

    def test_all_names_what_is_public(self) -> None:
        path = self.write("listed", "from json import dumps\n__all__ = ['dumps']\ndef f(): pass\n")
        with support.runtime("module", "--module", path) as name:
            listed = support.ctl("functions", name=name)
        self.assertIn("listed.dumps", listed)
        self.assertNotIn("listed.f ", listed)


if __name__ == "__main__":
    support.main()
