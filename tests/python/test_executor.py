"""plm.Executor beyond CPython's own tests: options, futures as arguments, shutdown, threads,
forks, executors that are dropped, and what is left behind."""

from __future__ import annotations

import concurrent.futures
import gc
import json
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
import warnings
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import support
from support import append, lines, touch, until, wait_for_file

import plm

try:
    import numpy as np
except ImportError:
    np = None


# ---- tasks ----


def double(x: int) -> int:
    return 2 * x


def add(*values: int) -> int:
    return sum(values)


def total_of(values: list[Any]) -> int:
    return sum(v.result() if hasattr(v, "result") else v for v in values)


def told(path: str, word: str) -> str:
    append(path, word)
    return word


def began(path: str, gate: str) -> str:
    append(path, "begun")
    return wait_for_file(gate)


def fails(words: str) -> None:
    raise KeyError(words, 7)


def fails_until(path: str, times: int) -> int:
    append(path, "try")
    if len(lines(path)) <= times:
        raise ConnectionError("no route")
    return len(lines(path))


def dies_until(path: str, times: int) -> int:
    append(path, "try")
    if len(lines(path)) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return len(lines(path))


def process() -> int:
    return os.getpid()


def remembers() -> tuple[int, str]:
    return os.getpid(), os.environ.get("PLM_TEST_MEMORY", "")


def set_memory(path: str, value: str) -> None:
    append(path, str(os.getpid()))
    os.environ["PLM_TEST_MEMORY"] = value


def inner_executor(n: int) -> list[int]:
    with plm.Executor(max_workers=1) as pool:
        return list(pool.map(double, range(n)))


def runs_until_stopped(path: str) -> None:
    touch(f"{path}.begun")
    try:
        wait_for_file(f"{path}.never")
    finally:
        touch(f"{path}.finalizer")


def address(array: Any) -> tuple[float, bool]:
    return float(array.sum()), array.flags.writeable


def first_of(buffer: Any) -> int:
    return int(buffer[0])


class Shared(unittest.TestCase):
    """Tests that use one executor with two workers."""

    pool: ClassVar[plm.Executor]
    folder: ClassVar[tempfile.TemporaryDirectory[str]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.pool = plm.Executor(max_workers=2)
        cls.folder = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.pool.shutdown()
        cls.folder.cleanup()

    def path(self, name: str) -> str:
        return os.path.join(self.folder.name, f"{self.id().rpartition('.')[2]}.{name}")


class Futures(Shared):
    def test_a_future_is_an_argument_by_position_keyword_and_inside_a_list(
        self,
    ) -> None:
        one, two = self.pool.submit(double, 1), self.pool.submit(double, 2)
        self.assertEqual(self.pool.submit(add, one, two, 3).result(), 9)
        self.assertEqual(self.pool.submit(total_of, values=[one, 5, two]).result(), 11)
        self.assertEqual(self.pool.submit(total_of, [one, two]).result(), 6)

    def test_a_dependent_starts_after_its_future(self) -> None:
        gate = self.path("gate")
        first = self.pool.submit(wait_for_file, gate)
        second = self.pool.submit(os.path.exists, first)
        self.assertFalse(second.done())
        self.assertIn("waits", plm.explain(second))
        touch(gate)
        self.assertTrue(second.result())

    def test_a_dependent_of_a_failed_task_raises_the_same_exception(self) -> None:
        failed = self.pool.submit(fails, "cause")
        for dependent in (
            self.pool.submit(double, failed),
            self.pool.submit(add, 1, self.pool.submit(double, failed)),
        ):
            with self.assertRaises(KeyError) as caught:
                dependent.result()
            self.assertEqual(caught.exception.args, ("cause", 7))
            self.assertIn("in fails", str(caught.exception.__cause__))

    def test_a_dependent_of_a_cancelled_task_is_cancelled(self) -> None:
        gate = self.path("gate")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        first = self.pool.submit(double, 1)
        second = self.pool.submit(double, first)
        self.assertTrue(first.cancel())
        touch(gate)
        with self.assertRaises(plm.CancelledError):
            second.result()
        concurrent.futures.wait(blockers)

    def test_a_running_task_is_cancelled_and_its_finalizer_runs(self) -> None:
        path = self.path("task")
        future = self.pool.submit(runs_until_stopped, path)
        wait_for_file(f"{path}.begun")
        self.assertTrue(future.running())
        self.assertTrue(future.cancel())
        self.assertTrue(future.cancelled())
        self.assertRaises(plm.CancelledError, future.result)
        until(lambda: os.path.exists(f"{path}.finalizer"), "the finalizer has run")
        self.assertEqual(self.pool.submit(double, 4).result(), 8)

    def test_a_cancel_after_the_end_comes_too_late(self) -> None:
        future = self.pool.submit(double, 1)
        future.result()
        self.assertFalse(future.cancel())
        self.assertFalse(future.cancelled())

    def test_result_and_exception_of_a_task_that_does_not_end_time_out(self) -> None:
        gate = self.path("gate")
        future = self.pool.submit(wait_for_file, gate)
        self.assertRaises(TimeoutError, future.result, timeout=0.01)
        self.assertRaises(concurrent.futures.TimeoutError, future.exception, timeout=0)
        touch(gate)
        self.assertEqual(future.result(), gate)

    def test_callbacks_run_once_also_of_cancelled_tasks(self) -> None:
        told_of: list[Any] = []
        gate = self.path("gate")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        good, bad = self.pool.submit(double, 1), self.pool.submit(fails, "x")
        cancelled = self.pool.submit(double, 2)
        for future in (good, bad, cancelled):
            future.add_done_callback(told_of.append)
            future.add_done_callback(lambda f: 1 / 0 if f is None else None)
        cancelled.cancel()
        touch(gate)
        until(lambda: len(told_of) == 3, "three callbacks have run")
        self.assertEqual(set(map(id, told_of)), set(map(id, (good, bad, cancelled))))
        concurrent.futures.wait(blockers)

    def test_a_task_that_ends_between_two_looks_is_waited_for(self) -> None:
        gate = self.path("gate")
        future = self.pool.submit(wait_for_file, gate)
        with future._condition:  # as wait() of the standard library
            self.assertNotEqual(future._state, "FINISHED")
            touch(gate)
            until(future.done, "the task has ended")
            self.assertNotEqual(future._state, "FINISHED")  # the same as the first look
            told = threading.Event()

            class Waiter:
                @staticmethod
                def add_result(_: object) -> None:
                    told.set()

            waiters: Any = future._waiters
            waiters.append(Waiter())
        self.assertTrue(told.wait(60))
        self.assertEqual(future._state, "FINISHED")

    def test_a_waiter_that_has_seen_the_end_is_not_told_of_it_again(self) -> None:
        gate = self.path("gate")
        future = self.pool.submit(wait_for_file, gate)
        late: list[Any] = []
        before, after = mock.Mock(), mock.Mock()
        with mock.patch.object(future.session.watcher, "add", lambda _, tell: late.append(tell)):
            future.add_done_callback(lambda _: None)
            with future._condition:
                self.assertNotEqual(future._state, "FINISHED")
                future._waiters.append(before)
        touch(gate)
        until(future.done, "the task has ended")
        with future._condition:  # as as_completed() of the standard library
            self.assertEqual(future._state, "FINISHED")
            future._waiters.append(after)
        late[0]()  # the watcher comes to it now
        before.add_result.assert_called_once_with(future)
        after.add_result.assert_not_called()

    def test_standard_wait_and_as_completed_take_our_futures(self) -> None:
        futures = [self.pool.submit(double, n) for n in range(50)]
        done, rest = concurrent.futures.wait(futures, timeout=60)
        self.assertEqual((len(done), len(rest)), (50, 0))
        again = [self.pool.submit(double, n) for n in range(50)]
        ended = concurrent.futures.as_completed(again, timeout=60)
        self.assertEqual(sorted(f.result() for f in ended), [2 * n for n in range(50)])
        mixed = plm.as_completed([self.pool.submit(fails, "x"), self.pool.submit(double, 3)])
        self.assertEqual(len(mixed), 2)
        self.assertEqual(sum(f.exception() is None for f in mixed), 1)

    def test_ten_thousand_pending_futures_are_cancelled(self) -> None:
        gate, path = self.path("gate"), self.path("told")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        until(lambda: all(b.running() for b in blockers), "both workers are busy")
        futures = [self.pool.submit(told, path, "ran") for _ in range(10_000)]
        self.assertTrue(all(f.cancel() for f in futures))
        touch(gate)
        concurrent.futures.wait(blockers)
        self.assertTrue(all(f.cancelled() for f in futures))
        self.assertEqual(self.pool.submit(double, 4).result(), 8)
        self.assertEqual(lines(path), [], "a cancelled task ran")

    def test_more_results_are_held_than_the_table_has_records(self) -> None:
        with plm.Executor(2) as pool:
            most = pool._session.core.status()["records_max"]
            futures: list[Any] = []
            while len(futures) < most + 1000:
                more = [pool.submit(double, n) for n in range(10_000)]
                self.assertEqual(more[9999].result(), 19998)
                futures += more
            early, late = futures[5], futures[-1]
            self.assertEqual((early.result(), late.result()), (10, 19998))
            self.assertEqual(pool.submit(add, early, late).result(), 20008)
            self.assertEqual(pool.submit(total_of, [early, late]).result(), 20008)
            self.assertTrue(plm.explain(early))
            self.assertFalse(early.cancel())


class Watched(unittest.TestCase):
    def test_the_event_log_names_the_python_function(self) -> None:
        with mock.patch.dict(os.environ, PLM_EVENTS="on"), plm.Executor(1) as pool:
            self.assertEqual(pool.submit(total_of, [1, 2]).result(), 3)
            assert pool._runtime is not None
            said = support.ctl("events", "--kind", "name", "--json", name=pool._runtime.name)
        parts = [json.loads(line)["detail"] for line in said.splitlines()]
        self.assertEqual("".join(parts), "total_of")


class Options(Shared):
    def test_retries_repeat_a_task_that_raises(self) -> None:
        path = self.path("tries")
        options = self.pool.options(retries=3, backoff=0.001)
        self.assertEqual(options.submit(fails_until, path, 2).result(), 3)
        path = self.path("more")
        with self.assertRaises(ConnectionError):
            self.pool.options(retries=1, backoff=0.001).submit(fails_until, path, 5).result()
        self.assertEqual(len(lines(path)), 2)

    def test_crash_retries_repeat_a_task_whose_worker_dies(self) -> None:
        path = self.path("tries")
        again = self.pool.options(crash_retries=2)
        self.assertEqual(again.submit(dies_until, path, 2).result(), 3)
        path = self.path("more")
        with self.assertRaises(plm.WorkerDied) as caught:
            self.pool.options(crash_retries=1, retries=5).submit(dies_until, path, 9).result()
        self.assertEqual(caught.exception.signal, signal.SIGKILL)
        self.assertEqual(len(lines(path)), 2)

    def test_run_limit_ends_a_task_and_lets_its_finalizer_run(self) -> None:
        path = self.path("task")
        future = self.pool.submit_with(runs_until_stopped, path, run_limit=0.2)
        with self.assertRaises(TimeoutError):
            future.result()
        self.assertFalse(future.cancelled())
        until(lambda: os.path.exists(f"{path}.finalizer"), "the finalizer has run")

    def test_queue_limit_ends_a_task_that_waits_too_long(self) -> None:
        gate, path = self.path("gate"), self.path("told")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        future = self.pool.submit_with(told, path, "ran", queue_limit=0.1)
        with self.assertRaises(TimeoutError):
            future.result()
        touch(gate)
        concurrent.futures.wait(blockers)
        self.pool.submit(double, 1).result()
        self.assertEqual(lines(path), [])

    def test_total_limit_covers_all_attempts(self) -> None:
        path = self.path("tries")
        options = self.pool.options(retries=200, backoff=0.1, backoff_max=0.1, total_limit=0.5)
        with self.assertRaises(TimeoutError):
            options.submit(fails_until, path, 10_000).result()
        self.assertLess(len(lines(path)), 200)

    def test_a_larger_priority_starts_first(self) -> None:
        gate, path = self.path("gate"), self.path("order")
        with plm.Executor(max_workers=1) as pool:
            blocker = pool.submit(wait_for_file, gate)
            until(blocker.running, "the only worker is busy")
            futures = [
                pool.submit_with(told, path, str(p), priority=p) for p in (-5, 0, 7, 3, 32767)
            ]
            touch(gate)
            concurrent.futures.wait(futures)
        self.assertEqual(lines(path), ["32767", "7", "3", "0", "-5"])

    def test_needs_that_no_worker_has_are_refused_at_submit(self) -> None:
        with self.assertRaises(plm.Error) as caught:
            self.pool.submit_with(double, 1, needs="cpus=64000")
        self.assertIn("cpus", str(caught.exception))
        self.assertRaises(plm.Error, self.pool.submit_with, double, 1, needs="=!")
        self.assertRaises(TypeError, self.pool.submit_with, double, 1, colour="red")
        self.assertEqual(self.pool.submit_with(double, 2, needs="cpus=1").result(), 4)

    def test_replicas_give_one_result(self) -> None:
        path = self.path("told")
        future = self.pool.submit_with(told, path, "ran", replicas=2)
        self.assertEqual(future.result(), "ran")
        self.assertIn(len(lines(path)), (1, 2))

    def test_options_with_kwargs_and_map(self) -> None:
        options = self.pool.options(priority=3)
        self.assertEqual(self.pool.submit_with(pow, 2, 5, kwargs={"mod": 7}).result(), 4)
        self.assertEqual(list(options.map(double, range(5), chunksize=2)), [0, 2, 4, 6, 8])


class Stores(unittest.TestCase):
    """Which runtime keeps a value, and which tasks may have it."""

    def test_put_inside_of_an_executor_goes_to_its_runtime(self) -> None:
        outside = plm.put(b"outside")
        plm.disconnect()
        with plm.Executor(max_workers=1) as pool:
            with plm.Executor(max_workers=1) as inner:
                self.assertEqual(plm.put(1).client, inner.put(2).client)
            kept = plm.put([b"x" * 9000])
            self.assertEqual(kept.client, pool.put(2).client)
            self.assertNotEqual(kept.client, outside.client)
            self.assertEqual(pool.submit(len, kept).result(), 1)
        with self.assertRaises(plm.Error):
            plm.get(kept)
        self.assertEqual(plm.get(plm.put(b"outside again")), b"outside again")
        plm.disconnect()

    def test_the_runtime_of_connect_goes_before_that_of_an_executor(self) -> None:
        with plm.Executor(max_workers=1) as pool:
            session = plm.connect()
            self.addCleanup(plm.disconnect)
            self.assertEqual(plm.put(1).client, session.core)
            self.assertNotEqual(plm.put(1).client, pool.put(1).client)

    def test_a_map_in_chunks_gives_the_values_of_references(self) -> None:
        with plm.Executor(max_workers=2) as pool:
            values: list[Any] = [pool.put(1), 10, pool.submit(double, 50), pool.put(1000)]
            for size in (1, 2, 3, 4, 9):
                found = list(pool.map(add, values, [1, pool.put(2), 3, 4], chunksize=size))
                self.assertEqual(found, [2, 12, 103, 1004])

    def test_a_reference_of_another_runtime_inside_of_an_argument_is_refused(self) -> None:
        with plm.Executor(max_workers=1) as one, plm.Executor(max_workers=1) as two:
            strange = one.put(7)
            self.assertEqual(two.submit(double, strange).result(), 14)  # its value is copied
            with self.assertRaisesRegex(ValueError, "inside of an argument is of runtime"):
                two.submit(total_of, [strange]).result()
            with self.assertRaisesRegex(ValueError, "inside of an argument is of runtime"):
                list(two.map(total_of, [[strange]]))


class Moves(unittest.TestCase):
    """One worker, which a first task keeps until the gate is open."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.gate, self.order = f"{self.folder}/gate", f"{self.folder}/order"
        self.pool = plm.Executor(max_workers=1)
        self.first = self.pool.submit(began, f"{self.folder}/began", self.gate)
        until(lambda: os.path.exists(f"{self.folder}/began"), "the first task runs")

    def tearDown(self) -> None:
        touch(self.gate)
        self.pool.shutdown()

    def queue(self, *names: str) -> list[plm.Future[str]]:
        return [self.pool.submit(told, self.order, name) for name in names]

    def run_all(self, *futures: plm.Future[str]) -> list[str]:
        touch(self.gate)
        for future in futures:
            future.result()
        return lines(self.order)

    def test_a_task_is_moved_to_the_front_and_to_a_priority(self) -> None:
        a, b, c, d = self.queue("a", "b", "c", "d")
        self.assertTrue(c.move("front"))
        assert d.ref is not None
        self.assertTrue(plm.move(d.ref, priority=5))
        self.assertTrue(plm.move(a, priority=-5))
        self.assertEqual(self.run_all(a, b, c, d), ["d", "c", "b", "a"])

    def test_a_parked_task_waits_until_it_is_back(self) -> None:
        a, b = self.queue("a", "b")
        self.assertTrue(a.move("parked"))
        self.assertEqual(self.run_all(b), ["b"])
        self.assertIn("parked", plm.explain(a))
        self.assertTrue(a.move("todo"))
        self.assertEqual(self.run_all(a), ["b", "a"])

    def test_a_running_task_goes_back_into_the_queue(self) -> None:
        self.assertFalse(self.first.move("front"))
        self.assertTrue(self.first.move("todo"))
        until(lambda: len(lines(f"{self.folder}/began")) == 2, "the task runs again")
        touch(self.gate)
        self.assertEqual(self.first.result(), self.gate)
        for words in ({"to": "front"}, {"to": "todo"}, {"priority": 1}):
            self.assertFalse(self.first.move(**words))

    def test_moves_that_make_no_sense_are_refused(self) -> None:
        for words in ({}, {"to": "back"}, {"to": "front", "priority": 1}, {"priority": 40000}):
            with self.assertRaises(ValueError):
                self.first.move(**words)
        with self.assertRaises(plm.Error):
            self.pool.put(1).move("front")


class Maps(Shared):
    def test_a_failure_in_a_map_comes_in_its_place(self) -> None:
        results = self.pool.map(divmod, [4, 4, 4], [2, 0, 1])
        self.assertEqual(next(results), (2, 0))
        self.assertRaises(ZeroDivisionError, next, results)

    def test_buffersize_submits_no_further_ahead(self) -> None:
        taken: list[int] = []

        def numbers() -> Any:
            for n in range(20):
                taken.append(n)
                yield n

        results = self.pool.map(double, numbers(), buffersize=3)
        self.assertEqual(next(results), 0)
        self.assertLessEqual(len(taken), 4)
        self.assertEqual(list(results), [2 * n for n in range(1, 20)])

    def test_a_map_that_is_dropped_cancels_what_is_left(self) -> None:
        gate, path = self.path("gate"), self.path("told")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        results = self.pool.map(told, [path] * 100, map(str, range(100)))
        del results
        touch(gate)
        concurrent.futures.wait(blockers)
        self.pool.submit(double, 1).result()
        self.assertEqual(lines(path), [])

    def test_a_map_over_many_large_buffers_fits_into_a_small_store(self) -> None:
        with support.runtime("small", "--store", "32M") as name, plm.Executor(name=name) as pool:
            buffers = (memoryview(bytearray([n]) * (1 << 20)) for n in range(100))
            firsts = pool.map(first_of, buffers, buffersize=4)
            self.assertEqual(list(firsts), list(range(100)))

    @unittest.skipIf(np is None, "left out: numpy is not installed")
    def test_a_large_argument_that_repeats_is_put_once(self) -> None:
        array = np.ones(500_000)
        before = self.pool._session.core.status()["store_used"]
        gate = self.path("gate")
        blockers = [self.pool.submit(wait_for_file, gate) for _ in range(2)]
        results = self.pool.map(address, [array] * 50)
        used = self.pool._session.core.status()["store_used"] - before
        self.assertLess(used, 2 * array.nbytes)
        touch(gate)
        self.assertEqual(list(results), [(500_000.0, False)] * 50)
        concurrent.futures.wait(blockers)


class Workers(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_variables_of_the_users_runtime_are_not_for_a_private_one(self) -> None:
        state = os.path.join(self.folder, "state")
        variables = {"PLM_NAME": "none", "PLM_WORKERS": "7", "PLM_RESERVE_CORES": "1"}
        variables |= {"PLM_STATE": state, "PLM_DURABILITY": "sync", "PLM_PRELOAD": "no_such"}
        with mock.patch.dict(os.environ, variables), plm.Executor(1) as pool:
            self.assertEqual(pool.submit(double, 2).result(), 4)
            self.assertEqual(pool._session.core.status()["workers"], 1)
        self.assertFalse(os.path.exists(state))

    def test_the_initializer_runs_once_in_each_worker_also_in_a_new_one(self) -> None:
        path = os.path.join(self.folder, "told")
        with plm.Executor(2, initializer=set_memory, initargs=(path, "yes")) as pool:
            for _ in range(3):
                pids = {pool.submit(remembers).result() for _ in range(20)}
                self.assertEqual({value for _, value in pids}, {"yes"})
                with self.assertRaises(plm.WorkerDied):
                    pool.submit(os._exit, 1).result()
        self.assertEqual(len(lines(path)), len(set(lines(path))))

    def test_a_worker_ends_after_max_tasks_per_child(self) -> None:
        with plm.Executor(1, max_tasks_per_child=5) as pool:
            pids = [pool.submit(process).result() for _ in range(20)]
        counts = [pids.count(pid) for pid in dict.fromkeys(pids)]
        self.assertEqual(counts, [5, 5, 5, 5])

    def test_an_executor_in_a_task(self) -> None:
        with plm.Executor(1) as pool:
            self.assertEqual(pool.submit(inner_executor, 5).result(), [0, 2, 4, 6, 8])
            self.assertEqual(pool.submit(inner_executor, 3).result(), [0, 2, 4])

    def test_many_threads_use_one_executor(self) -> None:
        sums: list[int] = []

        def work(start: int) -> None:
            futures = [pool.submit(double, start + n) for n in range(200)]
            sums.append(sum(f.result() for f in futures))
            sums.append(sum(pool.map(double, range(start, start + 200), chunksize=7)))

        with plm.Executor(2) as pool:
            threads = [threading.Thread(target=work, args=(n * 1000,)) for n in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        expected = [2 * sum(range(n * 1000, n * 1000 + 200)) for n in range(8)]
        self.assertEqual(sorted(sums), sorted(expected + expected))

    def test_one_future_is_waited_for_by_many_threads(self) -> None:
        path = os.path.join(self.folder, "gate")
        got: list[Any] = []
        with plm.Executor(1) as pool:
            future = pool.submit(wait_for_file, path)
            threads = [
                threading.Thread(target=lambda: got.append(future.result())) for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            touch(path)
            for thread in threads:
                thread.join()
        self.assertEqual(got, [path] * 8)

    def test_an_executor_joins_a_runtime_by_name(self) -> None:
        with support.runtime("joined") as name:
            with plm.Executor(name=name) as one, plm.Executor(name=name) as two:
                future = one.submit(double, 4)
                self.assertEqual(two.submit(double, 1).result(), 2)
                # Of another connection: the value passes through this program.
                self.assertEqual(two.submit(double, future).result(), 16)
            with plm.Executor(name=name) as three:
                self.assertEqual(three.submit(double, 8).result(), 16)
        with self.assertRaises(plm.Error):
            plm.Executor(name="no-such-runtime-anywhere")
        with self.assertRaises(ValueError):
            plm.Executor(3, name="x")

    def test_a_runtime_without_python_says_how_to_get_it(self) -> None:
        with support.runtime("plain", python=None) as name:
            with (
                plm.Executor(name=name) as pool,
                self.assertRaises(plm.Error) as caught,
            ):
                pool.submit(double, 1)
        self.assertIn("--python", str(caught.exception))


class Ends(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_after_shutdown_a_submission_is_refused_and_futures_answer(self) -> None:
        pool = plm.Executor(1)
        good, bad = pool.submit(double, 1), pool.submit(fails, "x")
        pool.shutdown()
        pool.shutdown()
        for submit in (pool.submit, pool.options(priority=1).submit, pool.map):
            with self.assertRaisesRegex(RuntimeError, "after shutdown"):
                submit(double, [1])
        self.assertEqual(good.result(), 2)
        self.assertIsInstance(bad.exception(), KeyError)
        self.assertFalse(good.cancel())
        self.assertEqual(support.segments(pool._session.name), [])

    def test_shutdown_without_wait_lets_tasks_end(self) -> None:
        pool = plm.Executor(1)
        gate = os.path.join(self.folder, "gate")
        futures: list[Any] = [pool.submit(wait_for_file, gate), pool.submit(double, 2)]
        pool.shutdown(wait=False)
        touch(gate)
        self.assertEqual([f.result() for f in futures], [gate, 4])
        pool.shutdown()

    def test_shutdown_that_cancels_leaves_running_tasks_alone(self) -> None:
        gate = os.path.join(self.folder, "gate")
        pool = plm.Executor(1)
        running = pool.submit(wait_for_file, gate)
        until(running.running, "the task runs")
        queued = [pool.submit(double, n) for n in range(20)]
        pool.shutdown(wait=False, cancel_futures=True)
        touch(gate)
        self.assertEqual(running.result(), gate)
        # The worker may have claimed one task more, ahead of the running one's end.
        self.assertGreaterEqual(sum(f.cancelled() for f in queued), 19)
        pool.shutdown()

    def test_a_dropped_executor_ends_and_its_futures_answer(self) -> None:
        pool = plm.Executor(1)
        name = pool._session.name
        futures = [pool.submit(double, n) for n in range(50)]
        del pool
        gc.collect()
        self.assertEqual([f.result() for f in futures], [2 * n for n in range(50)])
        del futures
        other = plm.Executor(1)
        gc.collect()
        del other
        gc.collect()
        until(
            lambda: not support.segments(name),
            "the runtime of the dropped executor is gone",
        )

    def test_an_executor_in_a_forked_child_refuses_and_the_parent_goes_on(self) -> None:
        with plm.Executor(1) as pool:
            future = pool.submit(double, 1)
            read, write = os.pipe()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                words = b"accepted"
                try:
                    try:
                        pool.submit(double, 2)
                    except (plm.Error, RuntimeError) as error:
                        words = b"refused: " + str(error).encode()
                    with plm.Executor(1) as own:  # an executor of its own works
                        words += b" %d" % own.submit(double, 3).result(60)
                finally:
                    os.write(write, words)
                    os._exit(0)
            os.close(write)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            words = os.read(read, 4096)
            os.close(read)
            self.assertRegex(words, b"^refused.* 6$")
            self.assertEqual(future.result(), 2)
            self.assertEqual(pool.submit(double, 5).result(), 10)

    def test_nothing_is_left_and_nothing_is_said_at_a_normal_end(self) -> None:
        endings = {
            "with": "with plm.Executor(2) as pool: work(pool)",
            "shutdown": "pool = plm.Executor(2); work(pool); pool.shutdown()",
            "exit": "pool = plm.Executor(2); work(pool)",
            "pending": "pool = plm.Executor(2); fs = [pool.submit(pow, n, 2) for n in range(500)]",
            "remote": "plm.connect(); print(plm.get(plm.remote(pow).remote(2, 3)), flush=True)",
            "disconnect": "plm.connect(); r = plm.put(b'x' * 99999); plm.disconnect()",
        }
        text = (
            "import gc, os, sys, plm\n"
            "def work(pool):\n"
            "    print(list(pool.map(pow, range(9), range(9)))[3], flush=True)\n"
            "    f = pool.submit(print, 'from a task'); f.result()\n"
            "    f.add_done_callback(lambda f: None)\n"
        )
        for name, ending in endings.items():
            with self.subTest(name):
                before = set(support.segments("py-"))
                done = support.script(text + ending, check=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                left = [s for s in support.segments("py-") if s not in before]
                pids = {int(s.split("-")[3]) for s in left}
                dead = [p for p in pids if not os.path.exists(f"/proc/{p}")]
                self.assertEqual(dead, [], "left in /dev/shm")

    def test_an_executor_leaves_no_child_and_no_descriptor(self) -> None:
        def once() -> None:
            with plm.Executor(2) as pool:
                futures = [pool.submit(double, n) for n in range(20)]
                concurrent.futures.wait(futures)

        once()
        gc.collect()
        before, children = len(os.listdir("/proc/self/fd")), set(support.children())
        for _ in range(3):
            once()
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(set(support.children()) - children, set())

    def test_a_killed_client_leaves_no_process_and_no_segment(self) -> None:
        text = (
            "import os, sys, plm, time\n"
            "pool = plm.Executor(2)\n"
            "fs = [pool.submit(time.sleep, 600) for _ in range(4)]\n"
            "print(pool._session.name, pool._runtime.pid, flush=True)\n"
            "os.kill(os.getpid(), 9)\n"
        )
        done = support.script(text, check=False)
        self.assertEqual(done.returncode, -signal.SIGKILL)
        name, pid = done.stdout.split()
        until(lambda: not support.segments(name), "the segments are gone")
        until(lambda: not Path(f"/proc/{pid}").exists(), "the manager is gone")

    def test_a_client_of_a_runtime_may_exit_with_results_pending(self) -> None:
        with support.runtime("pending") as name:
            text = (
                "import os, sys, plm, time\n"
                f"pool = plm.Executor(name={name!r})\n"
                "fs = [pool.submit(time.sleep, 0.001) for _ in range(2000)]\n"
                "os._exit(0)\n"
            )
            for _ in range(3):
                support.script(text)
            with plm.Executor(name=name) as pool:
                self.assertEqual(pool.submit(double, 2).result(), 4)
                until(
                    lambda: pool._session.core.status()["records_used"] < 50,
                    "the records of the clients that left are free",
                )


if __name__ == "__main__":
    _ = (sys, time)
    support.main()
