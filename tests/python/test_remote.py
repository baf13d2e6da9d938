"""The functional face: @plm.remote, references, get, wait, as_completed, asyncio, values and arrays
in the store, C functions and commands."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest
from typing import Any, ClassVar

import support
from support import append, lines, touch, until, wait_for_file

import plm

try:
    import numpy as np
except ImportError:
    np = None

needs_numpy = unittest.skipIf(np is None, "left out: numpy is not installed")


# ---- tasks ----


@plm.remote
def double(x: Any) -> Any:
    return 2 * x


@plm.remote
def add(*values: Any) -> Any:
    return sum(values)


@plm.remote
def gather(refs: list[Any]) -> Any:
    return sum(plm.get(refs))


@plm.remote
def fails(words: str) -> None:
    raise LookupError(words, 3)


@plm.remote
def blocked(path: str) -> str:
    return wait_for_file(path)


@plm.remote
def runs_until_stopped(path: str) -> None:
    touch(f"{path}.begun")
    try:
        wait_for_file(f"{path}.never")
    except plm.TaskStopped:
        touch(f"{path}.stopped")
        raise


@plm.remote
def fib(n: int) -> int:
    return n if n < 2 else sum(plm.get([fib.remote(n - 1), fib.remote(n - 2)]))


@plm.remote
def chain(depth: int) -> int:
    return 0 if depth == 0 else 1 + plm.get(chain.remote(depth - 1))


@plm.remote
def makes(value: Any) -> Any:
    """A result with references inside: of an object and of a task."""
    return {"object": plm.put(value), "task": double.remote(value)}


@plm.remote(results=3)
def three(n: int) -> tuple[int, int, int]:
    return n, n + 1, n + 2


@plm.remote(results=2)
def wrong_count() -> tuple[int, ...]:
    return 1, 2, 3


@plm.remote
def described(array: Any) -> tuple[str, bool, float]:
    return type(array).__name__, array.flags.writeable, float(array.sum())


@plm.remote
def squares(n: int) -> Any:
    out = plm.empty((2, n), np.int64)
    out[0] = np.arange(n)
    out[1] = out[0] ** 2
    return {"squares": out, "n": n}


@plm.remote
def other_than_asked(n: int) -> Any:
    plm.zeros(n)
    return "something else"


@plm.remote
def holds(text: bytes, path: str, gate: str) -> Any:
    ref = pickle.loads(text)
    touch(path)
    wait_for_file(gate)
    return plm.get(ref)


@plm.remote
def noted(path: str, word: Any) -> None:
    append(path, str(word))


class Shared(unittest.TestCase):
    folder: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        runtime = support.runtime("remote", "--store", "256M")
        cls.enterClassContext(runtime)
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())

    def setUp(self) -> None:
        name = f"test-{os.getpid()}-remote"
        self.session = plm.connect(name)
        self.addCleanup(plm.disconnect)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, f"{self.id().rpartition('.')[2]}.{name}")

    def rows(self) -> int:
        """How many tasks and objects the runtime has."""
        name = self.session.name
        self.session.core.sync()  # a drop of little room lets the scheduler sleep
        words = (support.ctl("tasks", name=name), support.ctl("objects", name=name))
        return sum(line.startswith("@") for text in words for line in text.splitlines())


class References(Shared):
    def test_a_call_gives_a_reference_and_get_its_value(self) -> None:
        self.assertEqual(double(4), 8)
        ref = double.remote(4)
        self.assertIsInstance(ref, plm.Ref)
        self.assertEqual(plm.get(ref), 8)
        self.assertEqual(ref.result(), 8)
        self.assertTrue(ref.done())
        self.assertEqual(plm.get([double.remote(n) for n in range(5)]), [0, 2, 4, 6, 8])
        self.assertTrue(plm.explain(ref).strip())

    def test_references_are_arguments_by_position_keyword_and_inside(self) -> None:
        one, two = double.remote(1), plm.put(5)
        self.assertEqual(plm.get(add.remote(one, two, 1)), 8)
        self.assertEqual(plm.get(gather.remote([one, two])), 7)
        self.assertEqual(plm.get(gather.remote(refs=[one, double.remote(two)])), 12)

    def test_a_reference_among_arguments_holds_the_value_without_the_client(
        self,
    ) -> None:
        gate = self.path("gate")
        first = blocked.remote(gate)
        inside = plm.put(list(range(1000)))
        total = gather.remote([plm.put(1), double.remote(2)])
        last = add.remote(double.remote(first), "")
        del first, inside
        gc.collect()
        touch(gate)
        self.assertEqual(plm.get(total), 5)
        with self.assertRaises(TypeError):
            plm.get(last)

    def test_the_exception_of_an_argument_is_that_of_the_dependent(self) -> None:
        for ref in (
            add.remote(1, fails.remote("why")),
            gather.remote([fails.remote("why")]),
        ):
            with self.assertRaises(LookupError) as caught:
                plm.get(ref)
            self.assertEqual(caught.exception.args, ("why", 3))

    def test_several_results_are_a_tuple_of_references(self) -> None:
        refs = three.remote(4)
        self.assertEqual(plm.get(list(refs)), [4, 5, 6])
        middle = refs[1]
        del refs
        self.assertEqual(plm.get(add.remote(middle, 10)), 15)
        one, two = three.options(results=2).remote(1)
        with self.assertRaises(ValueError):
            plm.get(one)
        for ref in (*wrong_count.remote(), two):
            with self.assertRaisesRegex(ValueError, "returned 3 values, and has 2"):
                plm.get(ref)

    def test_references_inside_a_result_hold_until_they_are_read(self) -> None:
        self.assertEqual(len(plm.get([makes.remote(1) for _ in range(20)])), 20)
        gc.collect()
        before = self.rows() + 5  # each worker puts the text of the inner function once
        made = makes.remote(21)
        plm.wait([made])
        gc.collect()
        value = plm.get(made)
        self.assertEqual(plm.get([value["object"], value["task"]]), [21, 42])
        self.assertEqual(plm.get(add.remote(value["object"], value["task"])), 63)
        del made, value
        gc.collect()
        # One more: the other worker may have put the text of double() into the store.
        until(lambda: self.rows() <= before + 1, "the records of the result are free")

    def test_a_reference_is_pickled_and_held_in_another_process(self) -> None:
        ref = plm.put("the value")
        name = self.session.name
        text = pickle.dumps(ref)
        del ref
        gc.collect()
        program = (
            "import pickle, sys, plm\n"
            "plm.connect(sys.argv[1])\n"
            "ref = pickle.loads(bytes.fromhex(sys.argv[2]))\n"
            "print('held', flush=True)\n"
            "sys.stdin.readline()\n"
            "print(plm.get(ref), flush=True)\n"
        )
        before = self.rows()
        self.assertGreater(before, 0)
        with subprocess.Popen(
            [sys.executable, "-c", program, name, text.hex()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdout is not None and other.stdin is not None
            self.assertEqual(other.stdout.readline(), "held\n")
            other.stdin.write("\n")
            other.stdin.flush()
            self.assertEqual(other.stdout.readline(), "the value\n")
        self.assertEqual(other.returncode, 0)
        until(lambda: self.rows() < before, "the value went with its last holder")

    def test_a_task_holds_a_pickled_reference(self) -> None:
        begun, gate = self.path("begun"), self.path("gate")
        ref = plm.put([7])
        task = holds.remote(pickle.dumps(ref), begun, gate)
        until(lambda: os.path.exists(begun), "the task holds the reference")
        del ref
        gc.collect()
        touch(gate)
        self.assertEqual(plm.get(task), [7])

    def test_a_reference_of_an_ended_connection_says_so(self) -> None:
        ref = double.remote(1)
        self.assertEqual(plm.get(ref), 2)
        plm.disconnect()
        with self.assertRaisesRegex(plm.Error, "closed"):
            ref.result()
        plm.connect(self.session.name)

    def test_dropped_references_leave_no_records(self) -> None:
        plm.get(double.remote(1))  # the text of the function is an object that stays
        gc.collect()
        before = self.rows()
        for _ in range(5):
            refs = [double.remote(n) for n in range(500)]
            plm.get(refs[::100])
            del refs
        gc.collect()
        until(lambda: self.rows() <= before, "the records are free")

    def test_a_cancelled_task_raises_TaskStopped_inside(self) -> None:
        path = self.path("task")
        ref = runs_until_stopped.remote(path)
        wait_for_file(f"{path}.begun")
        self.assertTrue(plm.cancel(ref))
        self.assertRaises(plm.CancelledError, plm.get, ref)
        until(
            lambda: os.path.exists(f"{path}.stopped"),
            "TaskStopped was raised in the task",
        )
        self.assertFalse(plm.cancel(ref) and not ref.done())

    def test_a_get_with_a_timeout(self) -> None:
        gate = self.path("gate")
        ref = blocked.remote(gate)
        self.assertRaises(TimeoutError, plm.get, ref, 0.01)
        self.assertRaises(TimeoutError, plm.get, [double.remote(1), ref], timeout=0)
        touch(gate)
        self.assertEqual(plm.get(ref, 60), gate)


class Waiting(Shared):
    def test_wait_separates_what_has_ended(self) -> None:
        gate = self.path("gate")
        slow, fast = blocked.remote(gate), double.remote(1)
        done, rest = plm.wait([slow, fast], num_returns=1)
        self.assertEqual((done, rest), ([fast], [slow]))
        done, rest = plm.wait([slow, fast], timeout=0.01)
        self.assertEqual((done, rest), ([fast], [slow]))
        touch(gate)
        self.assertEqual(plm.wait([slow, fast]), ([slow, fast], []))
        self.assertEqual(plm.wait([]), ([], []))
        self.assertRaises(ValueError, plm.wait, [slow], num_returns=2)
        self.assertEqual(plm.wait([fails.remote("x")])[1], [])

    def test_as_completed_gives_each_once_the_first_to_end_first(self) -> None:
        gate = self.path("gate")
        slow = blocked.remote(gate)
        fast = [double.remote(n) for n in range(200)]
        ended = plm.as_completed([slow, *fast, fails.remote("x")])
        self.assertEqual(len(ended), 202)
        iterator = iter(ended)
        seen = [next(iterator) for _ in range(201)]
        self.assertNotIn(slow, seen)
        touch(gate)
        self.assertEqual(list(iterator), [slow])
        with self.assertRaises(TimeoutError):
            list(plm.as_completed([blocked.remote(self.path("second"))], timeout=0.05))
        touch(self.path("second"))

    def test_nested_waits_need_no_further_workers(self) -> None:
        self.assertEqual(plm.get(fib.remote(11)), 89)
        self.assertEqual(plm.get(chain.remote(20)), 20)

    def test_threads_wait_at_the_same_time(self) -> None:
        sums: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: sums.append(sum(plm.get([double.remote(n) for n in range(100)])))
            )
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sums, [9900] * 6)


class Asyncio(Shared):
    def test_gather_and_a_failure(self) -> None:
        async def work() -> list[Any]:
            refs = [double.remote(n) for n in range(100)]
            return await asyncio.gather(*refs, fails.remote("a"), return_exceptions=True)

        *values, error = asyncio.run(work())
        self.assertEqual(values, [2 * n for n in range(100)])
        self.assertIsInstance(error, LookupError)

    def test_the_loop_goes_on_while_a_task_is_awaited(self) -> None:
        gate = self.path("gate")

        async def work() -> str:
            waiting = asyncio.ensure_future(_awaited(blocked.remote(gate)))
            await asyncio.sleep(0.01)
            self.assertFalse(waiting.done())
            touch(gate)
            return str(await waiting)

        before = threading.active_count()
        self.assertEqual(asyncio.run(work()), gate)
        self.assertEqual(threading.active_count(), before)

    def test_a_cancelled_await_cancels_the_task(self) -> None:
        path = self.path("task")

        async def work() -> plm.Ref:
            ref: plm.Ref = runs_until_stopped.remote(path)
            waiting = asyncio.ensure_future(_awaited(ref))
            while not os.path.exists(f"{path}.begun"):
                await asyncio.sleep(0.005)
            waiting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waiting
            return ref

        ref = asyncio.run(work())
        self.assertRaises(plm.CancelledError, ref.result)
        until(lambda: os.path.exists(f"{path}.stopped"), "the task was stopped")

    def test_wait_for_with_a_timeout_cancels_the_task(self) -> None:
        path = self.path("task")

        async def work() -> None:
            await asyncio.wait_for(_awaited(runs_until_stopped.remote(path)), 0.05)

        self.assertRaises(TimeoutError, asyncio.run, work())

    def test_two_loops_in_two_threads(self) -> None:
        gate = self.path("gate")
        results: list[Any] = []

        async def work() -> list[Any]:
            refs = [double.remote(n) for n in range(200)]
            return list(await asyncio.gather(*refs, blocked.remote(gate)))

        def run() -> None:
            results.append(asyncio.run(work()))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        touch(gate)
        for thread in threads:
            thread.join(60)
        self.assertEqual(results, [[2 * n for n in range(200)] + [gate]] * 2)

    def test_futures_of_an_executor_beside_a_loop(self) -> None:
        gate = self.path("gate")
        with plm.Executor(name=self.session.name) as pool:

            async def work() -> list[Any]:
                wrapped = [asyncio.wrap_future(pool.submit(abs, -n)) for n in range(50)]
                late = asyncio.wrap_future(pool.submit(wait_for_file, gate))
                values = await asyncio.gather(*wrapped)
                touch(gate)
                return [*values, await late]

            self.assertEqual(asyncio.run(work()), [*range(50), gate])


async def _awaited(ref: Any) -> Any:
    return await ref


class Values(Shared):
    def test_values_of_all_sizes_come_back(self) -> None:
        for size in (0, 1, 1000, 40_000, 3_000_000):
            data = os.urandom(size)
            value = {"k": data, "n": size}
            self.assertEqual(plm.get(plm.put(value)), value)
            self.assertEqual(plm.get(double.remote(data)), data * 2)

    def test_raw_bytes_are_shown_as_they_are(self) -> None:
        ref = plm.put(b"raw bytes", raw=True)
        view = plm.get(ref)
        self.assertIsInstance(view, memoryview)
        self.assertEqual((bytes(view), view.readonly), (b"raw bytes", True))
        self.assertIsInstance(plm.get(ref, writable=True), bytearray)
        self.assertEqual(plm.get(plm.call("probe.sum", "1", b"2", plm.put(b"3", raw=True))), b"6")
        with self.assertRaises(plm.TaskError) as caught:
            plm.get(plm.call("probe.fail", "some words"))
        self.assertIn("some words", str(caught.exception))
        with self.assertRaises(plm.Error):
            plm.call("no.such_function")

    def test_a_command_line_is_a_task(self) -> None:
        out = plm.start(["echo", "hello"])
        self.assertEqual(bytes(plm.get(out)), b"hello\n")
        done = plm.run(["sh", "-c", "cat; exit 3"], stdin=out)
        self.assertEqual(done.returncode, 3)
        self.assertRaises(plm.TaskError, plm.run, ["false"], check=True)
        self.assertRaises(TimeoutError, plm.run, ["sleep", "60"], timeout=0.1)

    def test_a_command_comes_after_any_end_or_a_failure(self) -> None:
        good, bad = plm.start(["true"]), plm.start(["false"])
        state = ["sh", "-c", "echo $PLM_AFTER_STATE $PLM_AFTER_CODE"]
        after = plm.start(state, after_any=[bad])
        self.assertEqual(bytes(plm.get(after)), b"failed 1\n")
        self.assertEqual(bytes(plm.get(plm.start(state, after_any=[good]))), b"done 0\n")
        self.assertEqual(bytes(plm.get(plm.start(state, after_failed=[bad]))), b"failed 1\n")
        self.assertRaises(plm.CancelledError, plm.get, plm.start(state, after_failed=[good]))

    @needs_numpy
    def test_a_task_sees_an_array_in_place_and_read_only(self) -> None:
        ref = plm.put(np.ones(100_000))
        self.assertEqual(plm.get(described.remote(ref)), ("ndarray", False, 100_000.0))
        one, two = plm.get(ref), plm.get(ref)
        self.assertEqual(one.ctypes.data, two.ctypes.data)
        self.assertEqual(one.ctypes.data % 64, 0)
        with self.assertRaises(ValueError):
            one[0] = 2
        copy = plm.get(ref, writable=True)
        copy[0] = 2
        self.assertEqual((copy[0], one[0]), (2, 1))

    @needs_numpy
    def test_an_array_lives_as_long_as_it_is_used(self) -> None:
        ref = plm.put(np.arange(300_000))
        part = plm.get(ref)[1000:1003]
        del ref
        gc.collect()
        for n in range(30):
            plm.put(np.full(300_000, n))
        self.assertEqual(part.tolist(), [1000, 1001, 1002])
        plm.disconnect()
        self.assertEqual(part.tolist(), [1000, 1001, 1002])
        plm.connect(self.session.name)

    @needs_numpy
    def test_an_array_of_empty_is_the_result_without_a_copy(self) -> None:
        value = plm.get(squares.remote(100_000))
        self.assertEqual(value["n"], 100_000)
        self.assertEqual(value["squares"][1, 999], 999**2)
        self.assertFalse(value["squares"].flags.writeable)
        self.assertEqual(plm.get(other_than_asked.remote(50_000)), "something else")
        self.assertEqual(plm.get(squares.remote(5))["squares"].shape, (2, 5))

    @needs_numpy
    def test_put_seals_the_array_of_empty(self) -> None:
        array = plm.zeros((1000, 4000))
        array[3, 4] = 1
        used = plm.status()["store_used"]
        self.assertGreaterEqual(used, array.nbytes)
        ref = plm.put(array)
        self.assertLess(plm.status()["store_used"], used + array.nbytes, "put() copied")
        part = plm.put(plm.zeros((500, 400))[10:20].T)
        self.assertEqual(plm.get(part).shape, (400, 10))
        self.assertEqual(plm.get(ref)[3, 4], 1)
        with self.assertRaises(ValueError):
            array[0, 0] = 1
        self.assertEqual(plm.get(described.remote(ref))[2], 1.0)
        self.assertRaises(TypeError, plm.empty, 3, object)
        self.assertEqual(plm.empty(0).size, 0)
        before = plm.status()["store_used"]
        for _ in range(20):
            plm.zeros(1_000_000)  # dropped unsealed: 160 MB in all
        gc.collect()
        self.assertLess(plm.status()["store_used"] - before, 100_000_000)

    @needs_numpy
    def test_a_full_store_waits_for_room_that_results_make(self) -> None:
        with (
            support.runtime("full", "--store", "64M") as name,
            plm.Executor(name=name) as pool,
        ):
            # 40 results of 8 MB pass through a store of 64 MB: fetched ones make room.
            futures = [pool.submit(np.ones, 1_000_000) for _ in range(6)]
            for _ in range(34):
                self.assertEqual(futures.pop(0).result()[7], 1)
                futures.append(pool.submit(np.ones, 1_000_000))
            del futures

    @needs_numpy
    def test_a_store_full_of_held_arrays_is_an_error_with_the_remedy(self) -> None:
        with support.runtime("full", "--store", "64M") as name:
            session = plm.connect(name)
            held = []
            from plm import _session

            patience, _session.ROOM_PATIENCE_S = _session.ROOM_PATIENCE_S, 0.5
            try:
                with self.assertRaises(plm.Error) as caught:
                    for _ in range(20):
                        held.append(plm.put(np.ones(1_000_000)))
            finally:
                _session.ROOM_PATIENCE_S = patience
            self.assertGreaterEqual(len(held), 4)
            self.assertRegex(str(caught.exception), "store.*(release|--store|free)")
            with self.assertRaises((plm.Error, plm.OutOfMemory, plm.TaskError)) as there:
                plm.get(plm.remote(np.ones).remote(4_000_000), timeout=60)
            self.assertIn("store", str(there.exception))
            held.clear()
            gc.collect()
            self.assertEqual(float(plm.get(plm.put(np.ones(1_000_000)))[5]), 1.0)
            self.assertEqual(session.name, name)
            plm.connect(self.session.name)


if __name__ == "__main__":
    _ = (lines, noted)
    support.main()
