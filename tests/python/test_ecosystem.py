"""plm under joblib, scikit-learn, dask, tqdm and asyncio, each where it is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import signal
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import support

import plm


def there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def process_of(_: int) -> int:
    return os.getpid()


def parent_of(_: int) -> int:
    return os.getppid()


def fail_at(n: int, bad: int) -> int:
    if n == bad:
        raise KeyError(n)
    return n


def meet(folder: str) -> int:
    """Returns when two processes are here at the same time."""
    Path(folder, str(os.getpid())).touch()
    while len(os.listdir(folder)) < 2:
        time.sleep(0.01)
    return os.getpid()


def outer(folder: str) -> int:
    """A Parallel inside of a task: the number of processes that ran it."""
    import joblib

    return len(set(joblib.Parallel(n_jobs=2)(joblib.delayed(meet)(folder) for _ in range(8))))


def deep(n: int) -> int:
    import joblib

    rows = range(3 if n else 0)
    below: list[int] = joblib.Parallel(n_jobs=2)(joblib.delayed(deep)(n - 1) for _ in rows)
    return 1 + sum(below)


def look(array: Any) -> tuple[bool, bool, float]:
    return array.flags.writeable, array.flags.owndata, float(array[0])


def sleep_or_fail(n: int) -> None:
    if n == 0:
        raise ValueError("at once")
    time.sleep(600)


@unittest.skipUnless(there("joblib"), "joblib is not installed")
class Joblib(unittest.TestCase):
    def setUp(self) -> None:
        import joblib

        import plm.joblib

        self.joblib = joblib
        self.backend = plm.joblib.backend

    def parallel(self, function: Any, rows: Any, **words: Any) -> list[Any]:
        with self.backend(n_jobs=2):
            found: list[Any] = self.joblib.Parallel(**words)(
                self.joblib.delayed(function)(*row) for row in rows
            )
            return found

    def test_results_come_in_order(self) -> None:
        rows = [(n, 2) for n in range(500)]
        self.assertEqual(self.parallel(pow, rows), [n * n for n in range(500)])

    def test_tasks_run_in_the_workers(self) -> None:
        pids = self.parallel(process_of, [(n,) for n in range(50)])
        self.assertNotIn(os.getpid(), pids)

    def test_the_name_plm_is_registered(self) -> None:
        with self.joblib.parallel_backend("plm", n_jobs=2):
            found = self.joblib.Parallel()(self.joblib.delayed(pow)(n, 2) for n in range(5))
        self.assertEqual(found, [0, 1, 4, 9, 16])

    def test_the_runtime_stays_for_the_next_parallel(self) -> None:
        first = set(self.parallel(process_of, [(n,) for n in range(20)]))
        second = set(self.parallel(process_of, [(n,) for n in range(20)]))
        self.assertLessEqual(len(first | second), 2)

    def test_a_runtime_that_died_is_replaced_for_the_next_parallel(self) -> None:
        manager = self.parallel(parent_of, [(0,), (1,)])[0]
        with open(f"/proc/{manager}/cmdline") as words:
            self.assertIn("plm", words.read())
        os.kill(manager, signal.SIGKILL)
        os.waitid(os.P_PID, manager, os.WEXITED | os.WNOWAIT)
        before = set(support.segments(f"py-{os.getpid()}"))
        self.assertEqual(self.parallel(pow, [(n, 2) for n in range(5)]), [0, 1, 4, 9, 16])
        left = before & set(support.segments(f"py-{os.getpid()}"))
        self.assertEqual(left, set(), "files of the dead runtime")

    def test_an_exception_keeps_its_type_and_the_next_parallel_works(self) -> None:
        with self.assertRaises(KeyError):
            self.parallel(fail_at, [(n, 150) for n in range(300)])
        self.assertEqual(self.parallel(pow, [(2, 3)]), [8])

    def test_an_exception_cancels_batches_that_run(self) -> None:
        began = time.monotonic()
        with self.assertRaises(ValueError):
            self.parallel(sleep_or_fail, [(n,) for n in (0, 1, 1, 1)], batch_size=1)
        self.assertEqual(self.parallel(pow, [(n, 2) for n in range(9)])[8], 64)
        self.assertLess(time.monotonic() - began, 300)

    def test_one_job_runs_in_this_process(self) -> None:
        with self.backend(n_jobs=1):
            found = self.joblib.Parallel()(self.joblib.delayed(process_of)(n) for n in range(3))
        self.assertEqual(set(found), {os.getpid()})

    def test_no_jobs_are_an_error(self) -> None:
        with self.assertRaises(ValueError), self.backend(n_jobs=0):
            self.joblib.Parallel()(self.joblib.delayed(pow)(2, 2) for _ in range(2))

    def test_a_parallel_in_a_task_uses_all_workers(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            rows = self.parallel(outer, [(folder,)])
        self.assertEqual(rows, [2])

    def test_parallels_nest_to_any_depth(self) -> None:
        self.assertEqual(self.parallel(deep, [(3,), (3,)], batch_size=1), [40, 40])

    def test_a_lambda_that_cannot_be_sent_is_an_error_of_the_call(self) -> None:
        lock = threading.Lock()
        with self.assertRaises(Exception) as caught:
            self.parallel(lambda n, _: n, [(n, lock) for n in range(2000)])
        self.assertIn("pickle", str(caught.exception))

    @unittest.skipUnless(there("numpy"), "numpy is not installed")
    def test_a_large_array_is_put_once_and_is_read_only(self) -> None:
        import numpy as np

        array = np.full(300_000, 7.0)
        with mock.patch.object(
            plm.Executor, "put", autospec=True, side_effect=plm.Executor.put
        ) as put:
            rows = self.parallel(look, [(array,)] * 20, batch_size=1)
        self.assertEqual(set(rows), {(False, False, 7.0)})
        self.assertEqual(put.call_count, 1)

    @unittest.skipUnless(there("numpy"), "numpy is not installed")
    def test_many_large_arrays_fit_into_a_small_store(self) -> None:
        import numpy as np

        with support.runtime("arrays", "--store", "48M") as name, self.backend(name, n_jobs=2):
            found = self.joblib.Parallel(batch_size=1)(
                self.joblib.delayed(look)(np.full(150_000, float(n))) for n in range(100)
            )
        self.assertEqual([first for _, _, first in found], [float(n) for n in range(100)])

    @unittest.skipUnless(there("threadpoolctl"), "threadpoolctl is not installed")
    def test_inner_threads_are_limited(self) -> None:
        with self.joblib.parallel_backend("plm", n_jobs=2, inner_max_num_threads=3):
            found = self.joblib.Parallel()(
                self.joblib.delayed(os.getenv)("OMP_NUM_THREADS") for _ in range(4)
            )
        self.assertEqual(set(found), {"3"})
        self.assertEqual(self.parallel(os.getenv, [("OMP_NUM_THREADS",)] * 4), ["1"] * 4)

    def test_a_runtime_can_be_joined(self) -> None:
        with support.runtime("joblib") as name, self.backend(name, n_jobs=2):
            found = self.joblib.Parallel()(self.joblib.delayed(pow)(n, 2) for n in range(50))
        self.assertEqual(found, [n * n for n in range(50)])

    def test_a_generator_gives_results_as_they_come(self) -> None:
        try:
            parallel = self.joblib.Parallel(n_jobs=2, backend="plm", return_as="generator")
        except TypeError:
            self.skipTest("this joblib has no return_as")
        rows = parallel(self.joblib.delayed(pow)(n, 2) for n in range(30))
        self.assertEqual(next(rows), 0)
        self.assertEqual(sum(rows), sum(n * n for n in range(30)))

    @unittest.skipUnless(there("sklearn"), "scikit-learn is not installed")
    def test_scikit_learn_searches_a_grid(self) -> None:
        from sklearn.datasets import make_classification
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GridSearchCV

        x, y = make_classification(400, random_state=1)
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0, 10.0]}, cv=4)
        alone = search.fit(x, y).best_score_
        with self.backend(n_jobs=2):
            search.n_jobs = None
            self.assertAlmostEqual(search.fit(x, y).best_score_, alone)


@unittest.skipUnless(there("dask"), "dask is not installed")
class Dask(unittest.TestCase):
    def test_a_graph_runs_in_an_executor(self) -> None:
        import dask

        parts = [dask.delayed(process_of)(n) for n in range(6)]
        both = dask.delayed(lambda pids: (len(pids), os.getpid() in pids))(parts)
        total = dask.delayed(sum)([dask.delayed(pow)(n, 2) for n in range(10)])
        with plm.Executor(2) as pool:
            (count, _), value = dask.compute(both, total, scheduler=pool)
            pids = dask.compute(*parts, scheduler=pool)
        self.assertEqual((count, value), (6, 285))
        self.assertNotIn(os.getpid(), pids)

    def test_an_exception_of_a_graph_keeps_its_type(self) -> None:
        import dask

        with plm.Executor(2) as pool, self.assertRaises(KeyError):
            dask.compute(dask.delayed(fail_at)(3, 3), scheduler=pool)


@unittest.skipUnless(there("tqdm"), "tqdm is not installed")
class Tqdm(unittest.TestCase):
    def test_a_bar_knows_the_number_and_reaches_its_end(self) -> None:
        from tqdm import tqdm

        words = io.StringIO()
        with plm.Executor(2) as pool:
            futures = [pool.submit(pow, n, 2) for n in range(40)]
            bar = tqdm(plm.as_completed(futures), file=words)
            self.assertEqual(sum(f.result() for f in bar), sum(n * n for n in range(40)))
        self.assertIn("40/40", words.getvalue())


class Asyncio(unittest.IsolatedAsyncioTestCase):
    async def test_run_in_executor(self) -> None:
        loop = asyncio.get_running_loop()
        with plm.Executor(2) as pool:
            calls = [loop.run_in_executor(pool, pow, n, 2) for n in range(20)]
            self.assertEqual(await asyncio.gather(*calls), [n * n for n in range(20)])

    async def test_wrap_future(self) -> None:
        with plm.Executor(2) as pool:
            self.assertEqual(await asyncio.wrap_future(pool.submit(pow, 2, 10)), 1024)
            with self.assertRaises(KeyError):
                await asyncio.wrap_future(pool.submit(fail_at, 1, 1))

    async def test_a_cancelled_await_cancels_the_task(self) -> None:
        with plm.Executor(1) as pool:
            future = pool.submit(time.sleep, 600)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(future), 0.2)
            self.assertTrue(future.cancelled())

    async def test_references_are_awaited_among_many(self) -> None:
        with support.runtime("aio") as name:
            session = plm.connect(name)
            try:
                same = plm.remote(fail_at)
                refs = [same.remote(n, -1) for n in range(200)]
                self.assertEqual(await asyncio.gather(*refs), list(range(200)))
            finally:
                plm.disconnect()
            self.assertTrue(session.core.closed)


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def threads_of_libraries() -> set[int]:
    """Of each loaded library with threads of its own; Debian's plain BLAS has none."""
    import threadpoolctl

    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}


class Needs(unittest.TestCase):
    """The environment of a task with needs, as Python sees it."""

    def test_thread_counts_follow_the_cpus_of_the_task(self) -> None:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PLM_CPUS")
        with support.runtime("threads", "--workers", "cpus=3") as name:
            with plm.Executor(name=name) as pool:
                for _ in range(2):
                    wide = pool.options(needs="cpus=3").submit(variables, *names)
                    self.assertEqual(wide.result(), ["3", "3", "3"])
                    self.assertEqual(pool.submit(variables, *names).result(), ["1", "1", "1"])

    def test_the_user_has_the_last_word_on_thread_counts(self) -> None:
        os.environ["OMP_NUM_THREADS"] = "7"
        try:
            with support.runtime("threads", "--workers", "cpus=3") as name:
                with plm.Executor(name=name) as pool:
                    wide = pool.options(needs="cpus=3").submit(variables, "OMP_NUM_THREADS")
                    self.assertEqual(wide.result(), ["7"])
                    self.assertEqual(pool.submit(variables, "OMP_NUM_THREADS").result(), ["7"])
        finally:
            del os.environ["OMP_NUM_THREADS"]

    @unittest.skipUnless(there("threadpoolctl") and there("numpy"), "no numpy or threadpoolctl")
    def test_a_loaded_library_learns_its_count(self) -> None:
        with support.runtime("blas", "--workers", "cpus=2", "--preload", "numpy") as name:
            with plm.Executor(name=name) as pool:
                wide = pool.options(needs="cpus=2")
                for _ in range(2):
                    self.assertLessEqual(pool.submit(threads_of_libraries).result(), {1})
                    self.assertLessEqual(wide.submit(threads_of_libraries).result(), {2})

    def test_a_task_sees_the_gpus_it_was_given(self) -> None:
        with support.runtime("gpus", "--workers", "gpus=1 x2") as name:
            with plm.Executor(name=name) as pool:
                one = pool.options(needs="gpus=1").submit(variables, "CUDA_VISIBLE_DEVICES")
                self.assertIn(one.result(), (["0"], ["1"]))
                none = pool.submit(variables, "CUDA_VISIBLE_DEVICES")
                self.assertEqual(none.result(), [""])


if __name__ == "__main__":
    support.main()
