"""plm.Executor under CPython's own tests for executors, where they are installed
(Debian: libpython3.11-testsuite)."""

from __future__ import annotations

import sys
import unittest
from concurrent.futures import Future
from typing import Any
from unittest import mock

import support

import plm

try:
    try:
        from test import test_concurrent_futures as cpython  # 3.11
        from test.test_concurrent_futures import (
            AsCompletedTests,
            ExecutorMixin,
            ExecutorShutdownTest,
            ExecutorTest,
            FailingInitializerMixin,
            InitializerMixin,
            WaitTests,
        )
    except ImportError:
        from test.test_concurrent_futures import util as cpython  # 3.12 and later
        from test.test_concurrent_futures.executor import ExecutorTest
        from test.test_concurrent_futures.test_as_completed import AsCompletedTests
        from test.test_concurrent_futures.test_init import (
            FailingInitializerMixin,
            InitializerMixin,
        )
        from test.test_concurrent_futures.test_shutdown import ExecutorShutdownTest
        from test.test_concurrent_futures.test_wait import WaitTests
        from test.test_concurrent_futures.util import ExecutorMixin
except ImportError as missing:
    print(f"left out: CPython's tests for executors are not installed here ({missing})")
    sys.exit(0)

BaseTestCase = cpython.BaseTestCase


class PlmMixin(ExecutorMixin):  # type: ignore[misc]
    """Gives the tests of CPython our executor."""

    executor_type = plm.Executor


class Calls(PlmMixin, ExecutorTest, BaseTestCase):  # type: ignore[misc, valid-type]
    pass


class Waits(PlmMixin, WaitTests, BaseTestCase):  # type: ignore[misc, valid-type]
    pass


class Completions(PlmMixin, AsCompletedTests, BaseTestCase):  # type: ignore[misc, valid-type]
    pass


class Initializers(PlmMixin, InitializerMixin, BaseTestCase):  # type: ignore[misc, valid-type]
    pass


class FailingInitializers(PlmMixin, FailingInitializerMixin, BaseTestCase):  # type: ignore[misc, valid-type]
    pass


BEGIN = """
import atexit, time
from plm import Executor
def sleep_and_print(t, msg):
    time.sleep(t)
    print(msg)
    import sys; sys.stdout.flush()
import test.test_concurrent_futures as library
"""


class Shutdowns(PlmMixin, ExecutorShutdownTest, BaseTestCase):  # type: ignore[misc, valid-type]
    """The tests that run a program of their own import the executor from concurrent.futures by its
    name, so these are written anew."""

    def sleep_and_print(self, ending: str) -> None:
        where = cpython.sleep_and_print.__module__
        done = support.script(
            f"from plm import Executor\nfrom {where} import sleep_and_print\n"
            f"if __name__ == '__main__':\n    t = Executor(5)\n"
            f"    t.submit(sleep_and_print, 0.3, 'apple')\n{ending}"
        )
        self.assertEqual(done.stdout.strip(), "apple")
        self.assertEqual(done.stderr, "")

    def test_cancel_futures(self) -> None:
        # The test wants a task that runs when the others are cancelled. On a busy machine no worker
        # may have come to its task so soon.
        begun: list[Future[None]] = []
        submit, shutdown = self.executor.submit, self.executor.shutdown

        def noted(*call: Any) -> Future[None]:
            begun.append(submit(*call))
            return begun[-1]

        def later(**how: bool) -> None:
            support.until(lambda: begun[0].running() or begun[0].done(), "a task runs")
            shutdown(**how)

        with (
            mock.patch.object(self.executor, "submit", noted),
            mock.patch.object(self.executor, "shutdown", later),
        ):
            super().test_cancel_futures()

    def test_interpreter_shutdown(self) -> None:
        self.sleep_and_print("")

    def test_hang_gh83386(self) -> None:
        self.sleep_and_print("    t.shutdown(wait=False)\n")

    def test_submit_after_interpreter_shutdown(self) -> None:
        done = support.script(
            "import atexit\n"
            "@atexit.register\n"
            "def run_last():\n"
            "    try:\n"
            "        t.submit(id, None)\n"
            "    except RuntimeError:\n"
            "        print('runtime-error')\n"
            "        raise\n"
            "from plm import Executor\n"
            "if __name__ == '__main__':\n"
            "    t = Executor(5)\n"
            "    t.submit(id, 42).result()\n"
        )
        self.assertIn("RuntimeError: cannot schedule new futures", done.stderr)
        self.assertEqual(done.stdout.strip(), "runtime-error")


if __name__ == "__main__":
    unittest.main(verbosity=2)
