"""plm.Executor(fleet=...): Python functions on the hosts of a fleet, with a real Redis."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, ClassVar

import support
from fleet_support import SERVER, Fleet, ctl
from support import append, lines, touch, until, wait_for_file

import plm

# ---- tasks ----


def double(x: int) -> int:
    return 2 * x


def add(*values: int) -> int:
    return sum(values)


def fails(words: str) -> None:
    raise KeyError(words, 7)


def fails_once(path: str) -> int:
    append(path, "try")
    if len(lines(path)) == 1:
        raise ConnectionError("no route")
    return len(lines(path))


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def ready() -> None:
    """The initializer of a test."""
    os.environ["FLEET_TEST_READY"] = "yes"


def environment(name: str) -> str | None:
    return os.environ.get(name)


def large(n: int) -> bytes:
    return b"x" * n


# ---- the fleet ----


@unittest.skipUnless(SERVER, "no Redis on this machine (apt-get install redis-tools)")
class FleetCase(unittest.TestCase):
    """A fleet of a host with two Python workers, and one with a worker that has no Python."""

    fleet: ClassVar[Fleet]
    stack: ClassVar[contextlib.ExitStack]

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.fleet = Fleet()
        cls.stack.callback(cls.fleet.end)
        words = ("--fleet", cls.fleet.url)
        cls.stack.enter_context(support.runtime("fleet", *words))
        cls.stack.enter_context(support.runtime("fleet-c", *words, "--workers", "1", python=None))
        until(lambda: ctl(cls.fleet, "hosts").count(" up ") == 2, "both hosts are up")

    def setUp(self) -> None:
        self.pool = plm.Executor(fleet=self.fleet.url)
        self.addCleanup(self.pool.shutdown)
        self.folder = tempfile.mkdtemp(prefix="plm-fleet-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)


class Calls(FleetCase):
    def test_functions_by_name_and_by_value(self) -> None:
        self.assertEqual(self.pool.submit(double, 21).result(30), 42)
        here = 40
        self.assertEqual(self.pool.submit(lambda x: x + here, 2).result(30), 42)
        self.assertEqual(self.pool.submit(max, [3, 1], key=lambda v: -v).result(30), 1)

    def test_a_host_without_python_leaves_the_tasks_to_others(self) -> None:
        self.assertEqual(list(self.pool.map(double, range(40))), [2 * i for i in range(40)])

    def test_futures_are_arguments_of_other_tasks(self) -> None:
        first = self.pool.submit(double, 10)
        second = self.pool.submit(add, first, 1)
        self.assertEqual(self.pool.submit(add, second, first, 1).result(30), 42)
        self.assertEqual(self.pool.submit(sum, [1, 2]).result(30), 3)
        inside = self.pool.submit(lambda row: row[0].result() + 1, [second])
        self.assertEqual(inside.result(30), 22)

    def test_map_submits_in_batches_and_keeps_the_order(self) -> None:
        n = 700
        self.assertEqual(list(self.pool.map(double, range(n))), [2 * i for i in range(n)])
        some = self.pool.map(double, range(n), buffersize=20)
        self.assertEqual(list(some), [2 * i for i in range(n)])
        chunks = self.pool.map(double, range(n), chunksize=100)
        self.assertEqual(list(chunks), [2 * i for i in range(n)])

    def test_an_argument_without_a_pickle_fails_its_task_alone(self) -> None:
        found = self.pool.map(type, [1, threading.Lock(), 2])
        self.assertIs(next(found), int)
        with self.assertRaises(TypeError):
            next(found)

    def test_an_initializer_runs_in_the_workers(self) -> None:
        with plm.Executor(initializer=ready, fleet=self.fleet.url) as pool:
            self.assertEqual(pool.submit(environment, "FLEET_TEST_READY").result(30), "yes")

    def test_a_value_is_put_once_for_many_tasks(self) -> None:
        table = self.pool.put({n: n * n for n in range(100)})
        squares = [self.pool.submit(dict.get, table, n) for n in range(5)]
        self.assertEqual([s.result(30) for s in squares], [0, 1, 4, 9, 16])
        long = "x" * 100_000  # a function too long to travel with each task
        found = self.pool.map(lambda n: len(long) + n, range(5))
        self.assertEqual(list(found), [100_000 + n for n in range(5)])
        large = memoryview(bytes(70_000))
        self.assertEqual(list(self.pool.map(len, [large] * 5)), [70_000] * 5)

    def test_a_result_too_large_for_the_engine_comes_from_its_host(self) -> None:
        self.assertEqual(len(self.pool.submit(large, 9 << 20).result(30)), 9 << 20)

    def test_arrays_travel(self) -> None:
        try:
            import numpy as np
        except ImportError:
            self.skipTest("numpy is not installed")
        array = np.arange(100_000)
        self.assertTrue((self.pool.submit(double, array).result(30) == array * 2).all())


class Ends(FleetCase):
    def test_an_exception_comes_back_with_its_traceback(self) -> None:
        with self.assertRaises(KeyError) as caught:
            self.pool.submit(fails, "no luck").result(30)
        self.assertEqual(caught.exception.args, ("no luck", 7))
        self.assertIn("in fails", str(caught.exception.__cause__))

    def test_retries_and_deaths(self) -> None:
        path = self.path("tries")
        pool = self.pool.options(retries=1)
        self.assertEqual(pool.submit(fails_once, path).result(30), 2)
        with self.assertRaises(plm.WorkerDied) as died:
            self.pool.submit(dies).result(30)
        self.assertEqual(died.exception.signal, signal.SIGKILL)

    def test_a_time_limit(self) -> None:
        slow = self.pool.options(run_limit=0.2).submit(time.sleep, 100)
        with self.assertRaises(TimeoutError):
            slow.result(30)

    def test_cancel_of_waiting_and_running_tasks(self) -> None:
        began = self.path("began")
        running = self.pool.submit(wait_for_file, self.path("never"))
        until(running.running, "the task runs")
        self.assertFalse(running.done())
        with self.assertRaises(TimeoutError):
            running.result(0.01)
        waits = self.pool.submit(touch_after, running, began)
        self.assertTrue(waits.cancel())
        self.assertTrue(running.cancel())
        for future in (running, waits):
            with self.assertRaises(concurrent.futures.CancelledError):
                future.result(30)
            self.assertTrue(future.cancelled())
        self.assertFalse(os.path.exists(began))
        self.assertFalse(self.pool.submit(double, 1).exception(30))

    def test_waiters_and_callbacks_hear_of_ends(self) -> None:
        heard = threading.Event()
        futures = [self.pool.submit(double, i) for i in range(10)]
        futures[3].add_done_callback(lambda _: heard.set())
        ended = {f.result() for f in concurrent.futures.as_completed(futures, timeout=30)}
        self.assertEqual(ended, {2 * i for i in range(10)})
        self.assertTrue(heard.wait(30))
        more = [self.pool.submit(double, i) for i in range(5)]
        self.assertEqual(sorted(f.result() for f in plm.as_completed(more)), [0, 2, 4, 6, 8])
        done, rest = plm.wait(more)
        self.assertEqual((len(done), rest), (5, []))

    def test_explain_tells_the_host_and_the_wait(self) -> None:
        go = self.path("go")
        running = self.pool.submit(wait_for_file, go)
        until(running.running, "the task runs")
        self.assertIn("on host", plm.explain(running))
        waits = self.pool.submit(add, running)
        self.assertIn("waits for", plm.explain(waits))
        touch(go)
        with self.assertRaises(TypeError):  # 0 + the path
            waits.result(30)

    def test_results_leave_redis_with_their_futures(self) -> None:
        futures = [self.pool.submit(double, i) for i in range(20)]
        concurrent.futures.wait(futures, 30)
        self.assertGreaterEqual(self.fleet.tasks(), 20)
        del futures
        until(lambda: self.fleet.tasks() == 0, "no task is left in Redis")

    def test_threads_share_an_executor(self) -> None:
        found: list[int] = []

        def some(start: int) -> None:
            found.extend(self.pool.map(double, range(start, start + 50)))

        threads = [threading.Thread(target=some, args=(i * 50,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(found), [2 * i for i in range(200)])


def touch_after(_: Any, path: str) -> None:
    touch(path)


class Programs(FleetCase):
    def run_program(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "PLM_FLEET": self.fleet.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_example_counts_on_the_hosts(self) -> None:
        example = str(support.ROOT / "examples" / "python" / "fleet.py")
        self.assertEqual(self.run_program(example, "30000"), "3245 primes below 30000\n")

    def test_the_variable_names_the_fleet(self) -> None:
        text = (
            "import plm, sys\n"
            "with plm.Executor() as pool:\n"
            "    print(list(pool.map(pow, [2, 3], [5, 2])), pool.usable())\n"
            "    print(type(pool.put(1)).__name__)\n"
            "with plm.Executor(fleet='') as pool:\n"
            "    print(type(pool.put(1)).__name__)\n"
        )
        self.assertEqual(self.run_program("-c", text), "[32, 9] True\nFleetRef\nRef\n")


class Refusals(FleetCase):
    def test_what_a_fleet_does_not_have(self) -> None:
        with self.assertRaisesRegex(ValueError, "hosts as they are"):
            plm.Executor(2, fleet=self.fleet.url)
        for options in ({"tied": True}, {"replicas": 2}):
            with self.assertRaisesRegex(plm.Error, "leave out"):
                self.pool.options(**options).submit(double, 1)
        with self.assertRaisesRegex(plm.Error, "8 MiB"):
            self.pool.put(b"x" * (9 << 20))
        with self.assertRaisesRegex(plm.Error, "8 MiB"):
            self.pool.submit(len, b"x" * (9 << 20))
        with self.assertRaisesRegex(plm.Error, "wants redis://"):
            plm.Executor(fleet="http://x")
        with self.assertRaisesRegex(plm.Error, "cannot be reached"):
            plm.Executor(fleet="redis://127.0.0.1:1")

    def test_a_task_in_the_queue_gets_another_place(self) -> None:
        gate = self.path("gate")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        waiting = [self.pool.submit(double, n) for n in range(6)]  # the host may try the first
        self.assertTrue(waiting[5].move("parked"))
        self.assertTrue(waiting[4].move("front"))
        self.assertTrue(waiting[3].move(priority=3))
        touch(gate)
        self.assertEqual([w.result(30) for w in waiting[:5]], [0, 2, 4, 6, 8])
        self.assertFalse(waiting[5].done())
        self.assertFalse(waiting[4].move("front"))
        self.assertTrue(waiting[5].move("todo"))
        self.assertEqual(waiting[5].result(30), 10)
        for blocker in blockers:
            blocker.result(30)

    def test_a_closed_executor_takes_nothing(self) -> None:
        with plm.Executor(fleet=self.fleet.url) as pool:
            future = pool.submit(double, 21)
        self.assertEqual(future.result(), 42)
        with self.assertRaises(RuntimeError):
            pool.submit(double, 1)

    def test_a_forked_child_has_no_handle(self) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                self.pool.submit(double, 1)
            except plm.Error as error:
                os._exit(0 if "connect anew" in str(error) else 2)
            os._exit(1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)
        self.assertEqual(self.pool.submit(double, 21).result(30), 42)

    def test_an_interrupt_ends_a_wait_and_cancels(self) -> None:
        go = self.path("never")
        text = (
            "import plm, sys\n"
            "sys.path.insert(0, sys.argv[3])\n"
            "import support\n"
            "pool = plm.Executor(fleet=sys.argv[1])\n"
            "future = pool.submit(support.wait_for_file, sys.argv[2])\n"
            "print('waits', flush=True)\n"
            "future.result()\n"
        )
        words = [self.fleet.url, go, str(Path(__file__).parent)]
        with subprocess.Popen(
            [sys.executable, "-c", text, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "waits\n")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        self.assertIn("KeyboardInterrupt", errors)
        until(lambda: '"running": 0' in ctl(self.fleet, "status", "--json"), "the task has ended")


if __name__ == "__main__":
    unittest.main()
