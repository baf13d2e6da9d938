"""A trace of Python tasks tells what happened: tests/programs/trace_check.py judges it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support
from support import touch, wait_for_file

import plm

CHECK = support.ROOT / "tests" / "programs" / "trace_check.py"


@plm.remote
def double(x: int) -> int:
    return 2 * x


@plm.remote(results=2)
def both(x: int) -> tuple[int, bytes]:
    return x, bytes(1000)


@plm.remote
def total(*values: int) -> int:
    return sum(values)


@plm.remote
def size(data: bytes) -> int:
    return len(data)


@plm.remote
def fib(n: int) -> int:
    return n if n < 2 else sum(plm.get([fib.remote(n - 1), fib.remote(n - 2)]))


@plm.remote(retries=2)
def fails(words: str) -> None:
    raise LookupError(words)


@plm.remote(crash_retries=1)
def dies_once(path: str) -> str:
    if not os.path.exists(path):
        touch(path)
        os.kill(os.getpid(), signal.SIGKILL)
    return path


@plm.remote
def runs_until_stopped(path: str) -> None:
    touch(path)
    wait_for_file(f"{path}.never")


FLOWS = 4  # of total and size; of fib none, since a task that waits takes no arguments


class Trace(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.name = self.enterContext(support.runtime("trace", "--events", "on"))
        plm.connect(self.name)
        self.addCleanup(plm.disconnect)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def ctl(self, *words: str) -> str:
        program = support.PROGRAMS / "plmctl"
        done = subprocess.run(
            [program, "--name", self.name, *words], capture_output=True, text=True, check=True
        )
        return done.stdout

    def load(self) -> None:
        one, data = both.remote(1)
        two = double.remote(2)
        self.assertEqual(plm.get([total.remote(one, two, two), size.remote(data)]), [9, 1000])
        self.assertEqual(plm.get(fib.remote(6)), 8)
        self.assertRaises(LookupError, plm.get, fails.remote("on purpose"))
        self.assertEqual(plm.get(dies_once.remote(self.path("dead"))), self.path("dead"))
        stopped = runs_until_stopped.remote(self.path("begun"))
        wait_for_file(self.path("begun"))
        plm.cancel(stopped)
        self.assertRaises(plm.CancelledError, plm.get, stopped)
        plm.run(["echo", "a command"])

    def test_every_run_of_a_python_task_is_in_the_trace(self) -> None:
        self.load()
        Path(self.path("workers")).write_text(self.ctl("workers", "--json"), encoding="utf-8")
        said = json.loads(self.ctl("trace", "--json", self.path("all.plmrec")))
        self.assertEqual(said["dependencies"], FLOWS)
        for form in "a.json", "a.pftrace":
            self.ctl("trace", "--from", self.path("all.plmrec"), self.path(form))
        self.ctl("plot", "--from", self.path("all.plmrec"), "--csv", self.path("tables"))
        words = map(self.path, ("tables", "a.json", "a.pftrace", "workers"))
        done = subprocess.run(
            [sys.executable, CHECK, *words], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        events = json.loads(Path(self.path("a.json")).read_text(encoding="utf-8"))["traceEvents"]
        names = {e["name"] for e in events if e["ph"] == "X"}
        self.assertLessEqual({"fib", "dies_once", "echo"}, names)


if __name__ == "__main__":
    support.main()
