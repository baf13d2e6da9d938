"""The extension plm._core: every call, every error, holds, threads, signals, forks."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import core_tasks
import support

from plm import _core, _session

PATIENCE_MS = 20000  # also how long a test that fails takes


class OwnRef(_core.Ref):
    """A class of Refs."""

    __slots__ = ()


def until(true: Callable[[], bool]) -> None:
    """Waits for what another process does."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while not true():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.001)


def futures(client: _core.Client) -> int:
    """How many futures the runtime has."""
    client.sync()
    status = client.status()
    names = ("waiting", "ready", "running", "done", "failed", "cancelled")
    return sum(int(status[name]) for name in names)


class Case(unittest.TestCase):
    """Tests with a client of one runtime with C workers."""

    options: ClassVar[tuple[str, ...]] = ()
    stack: ClassVar[contextlib.ExitStack]
    name: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = contextlib.ExitStack()
        cls.name = cls.stack.enter_context(
            support.runtime(f"core-{cls.__name__.lower()}", *cls.options, python=None)
        )

    @classmethod
    def tearDownClass(cls) -> None:
        cls.stack.close()

    def setUp(self) -> None:
        self.client = _core.connect(self.name)
        self.addCleanup(self.client.close)

    def records(self) -> int:
        return futures(self.client)

    def value(self, ref: _core.Ref) -> bytes:
        return bytes(self.client.get(ref, PATIENCE_MS))

    @contextlib.contextmanager
    def error(self, number: int, words: str = "") -> Iterator[None]:
        with self.assertRaises(_core.Error) as caught:
            yield
        self.assertEqual(caught.exception.errno, number, caught.exception)
        self.assertIn(words, str(caught.exception))


class Tasks(Case):
    def test_submit_takes_bytes_buffers_and_refs(self) -> None:
        first = self.client.submit("probe.echo", (b"ab", bytearray(b"cd"), memoryview(b"ef")))
        second = self.client.submit("probe.echo", [first, b"!"])
        self.assertEqual(self.value(second), b"abcdef!")
        self.assertEqual(self.value(self.client.submit("probe.noop")), b"")

    def test_many_arguments(self) -> None:
        words = tuple(b"%d," % i for i in range(1000))
        self.assertEqual(self.value(self.client.submit("probe.echo", words)), b"".join(words))

    def test_submit_many_gives_a_ref_a_row(self) -> None:
        refs = self.client.submit_many("probe.echo", [(b"%d" % i,) for i in range(300)])
        self.assertEqual([int(self.value(r)) for r in refs], list(range(300)))
        self.assertEqual(self.client.submit_many("probe.echo", []), [])

    def test_refs_are_of_the_class_that_was_asked_for(self) -> None:
        for ref in (
            self.client.submit("probe.noop", (), None, OwnRef),
            self.client.put(b"x", OwnRef),
            self.client.submit_many("probe.noop", [()], ref_type=OwnRef)[0],
            self.client.command(["true"], ref_type=OwnRef)[1],
        ):
            self.assertIs(type(ref), OwnRef)
        text = ref.text
        self.assertIs(type(self.client.hold(text, OwnRef)), OwnRef)
        with self.assertRaises(TypeError):
            self.client.put(b"x", int)  # type: ignore[type-var]

    def test_options_reach_the_task(self) -> None:
        options = _core.Options(priority=-3, retries=2, needs="cpus=1", run_ms=50, keep=True)
        self.assertEqual((options.priority, options.retries, options.needs), (-3, 2, "cpus=1"))
        self.assertEqual((options.run_ms, options.keep, options.tied), (50, True, False))
        with self.assertRaises(AttributeError):
            options.priority = 1  # type: ignore[misc]
        slow = self.client.submit("probe.spin", (b"10000000",), _core.Options(run_ms=20))
        with self.assertRaises(_core.TaskFailed):
            self.client.get(slow, PATIENCE_MS)
        self.assertEqual(self.client.failure(slow)[0], errno.ETIMEDOUT)

    def test_options_out_of_range_are_refused(self) -> None:
        wrong: tuple[dict[str, Any], ...] = (
            {"priority": 40000},
            {"retries": -1},
            {"results": 0},
            {"run_ms": 1 << 40},
        )
        for words in wrong:
            with self.assertRaises(ValueError):
                _core.Options(**words)
        with self.assertRaises(TypeError):
            _core.Options(nonsense=1)  # type: ignore[call-arg]
        with self.assertRaises(TypeError):
            _core.Options(1, priority=2)  # type: ignore[misc]
        with self.error(errno.EINVAL):
            self.client.submit("probe.noop", (), _core.Options(needs="nonsense"))

    def test_bad_arguments_raise_and_leave_nothing(self) -> None:
        before = self.records()
        for words in (
            (1, ()),
            ("probe.echo", 5),
            ("probe.echo", (1,)),
            ("probe.echo", ("text",)),
            ("probe.echo", (b"x", None)),
            ("probe.echo", (), "options"),
            (),
        ):
            with self.assertRaises(TypeError):
                self.client.submit(*words)
        with self.assertRaises(TypeError):
            self.client.submit_many("probe.echo", [(b"x",), (5,)])  # type: ignore[list-item]
        with self.assertRaises(TypeError):
            self.client.submit("probe.echo", nonsense=1)  # type: ignore[call-overload]
        with self.assertRaises(ValueError):
            self.client.submit("probe\0echo")
        with self.assertRaises(ValueError):
            self.client.submit_many("probe.echo", [()], _core.Options(results=2))
        with self.error(errno.ENOENT, "no.such"):
            self.client.submit("no.such")
        self.assertEqual(self.records(), before)

    def test_a_failed_task_raises_with_its_ref(self) -> None:
        ref = self.client.submit("probe.fail", (b"because", b"7"))
        with self.assertRaises(_core.TaskFailed) as caught:
            self.client.get(ref, PATIENCE_MS)
        self.assertIs(caught.exception.args[0], ref)
        self.assertEqual(self.client.failure(ref), (7, 0, "probe.fail", "because", None))
        heir = self.client.submit("probe.echo", (ref,))
        with self.assertRaises(_core.TaskFailed):
            self.client.get(heir, PATIENCE_MS)
        self.assertEqual(self.client.failure(heir)[2:4], ("probe.fail", "because"))
        with self.error(errno.EINVAL):
            self.client.failure(self.client.put(b""))

    def test_a_dead_worker_fails_its_task_with_the_signal(self) -> None:
        ref = self.client.submit("probe.crash", (b"9",))
        with self.assertRaises(_core.TaskFailed):
            self.client.get(ref, PATIENCE_MS)
        self.assertEqual(self.client.failure(ref)[1], 9)

    def test_cancel_tells_whether_it_came_in_time(self) -> None:
        done = self.client.submit("probe.noop")
        self.client.get(done, PATIENCE_MS)
        self.assertFalse(self.client.cancel(done))
        runs = self.client.submit("probe.sleep", (b"20000",))
        until(lambda: self.client.state(runs) == _core.RUNNING)
        self.assertFalse(self.client.cancel(runs, only_queued=True))
        self.assertTrue(self.client.cancel(runs, 0))
        with self.assertRaises(_core.TaskCancelled) as caught:
            self.client.get(runs, PATIENCE_MS)
        self.assertIs(caught.exception.args[0], runs)
        self.assertEqual(self.client.state(runs), _core.CANCELLED)
        with self.assertRaises(ValueError):
            self.client.cancel(runs, -7)

    def test_states_pass_in_order(self) -> None:
        order = (_core.WAITING, _core.READY, _core.RUNNING, _core.DONE, _core.FAILED)
        self.assertEqual(list(order), sorted(order))
        self.assertGreater(_core.GONE, _core.CANCELLED)
        ref = self.client.put(b"x")
        self.assertEqual(self.client.state(ref), _core.DONE)

    def test_explain_says_why_a_task_waits(self) -> None:
        first = self.client.submit("probe.sleep", (b"20000",))
        second = self.client.submit("probe.echo", (first,))
        self.assertIn(first.text, self.client.explain(second))
        self.client.cancel(first, 0)

    def test_commands(self) -> None:
        text = self.client.put(b"from the store")
        out, _log, made = self.client.command(
            ["sh", "-c", 'cat; echo $WORD > "$made"'],
            variables=["WORD=hello"],
            futures=[("stdin", None, text), ("out", "made", None)],
        )
        self.assertEqual(self.value(out), b"from the store")
        self.assertEqual(self.value(made), b"hello\n")
        with self.assertRaises(ValueError):
            self.client.command(["true"], futures=[("nonsense", None, text)])
        with self.assertRaises(TypeError):
            self.client.command(["true"], futures=[("stdin", None, None)])
        with self.assertRaises(TypeError):
            self.client.command("true")
        with self.assertRaises(TypeError):
            self.client.command(["true", 5])  # type: ignore[list-item]

    def test_functions_of_the_runtime(self) -> None:
        self.assertTrue(self.client.check_function("probe.echo"))
        self.assertFalse(self.client.check_function("no.such"))
        with self.error(errno.ENOENT):
            self.client.module_load("/no/such/module.so")
        self.assertEqual(self.client.pythons(), [])
        self.assertEqual(self.client.status()["name"], self.name)
        self.assertEqual(self.client.name, self.name)
        self.assertFalse(self.client.worker)


class Values(Case):
    def test_small_and_large_values_come_back(self) -> None:
        for size in (0, 1, 24, 25, 32, 33, 4096, 1 << 20):
            data = bytes(i % 251 for i in range(size))
            view = self.client.get(self.client.put(data))
            self.assertEqual((bytes(view), len(view), view.nbytes), (data, size, size))
            self.assertTrue(memoryview(view).readonly)

    def test_a_view_keeps_its_value(self) -> None:
        before = self.records()
        view = self.client.get(self.client.put(b"v" * 5000))
        window = memoryview(view)[10:20]
        del view
        gc.collect()
        self.assertEqual(self.records(), before + 1)
        self.assertEqual(bytes(window), b"v" * 10)
        del window
        until(lambda: self.records() == before)

    def test_a_room_becomes_a_value(self) -> None:
        room = self.client.create(1000)
        with memoryview(room) as window:
            window[:3] = b"abc"
        room.write(3, b"def")
        room.write(1000, b"")
        for at, data in ((998, b"xyz"), (1001, b"")):
            with self.assertRaises(ValueError):
                room.write(at, data)
        ref = room.seal()
        self.assertEqual(self.value(ref)[:6], b"abcdef")
        with self.error(errno.EINVAL, "sealed already"):
            room.seal()
        with self.assertRaises(BufferError):
            memoryview(room)
        with self.error(errno.EINVAL):
            room.write(0, b"x")

    def test_a_room_that_is_shown_keeps_its_memory(self) -> None:
        before = self.records()
        room = self.client.create(5000)
        window = memoryview(room)
        window[:] = b"w" * 5000
        ref = room.seal()
        del ref, room
        gc.collect()
        self.client.wait_all()
        self.assertEqual(self.records(), before + 1)
        self.assertEqual(bytes(window[:2]), b"ww")
        window.release()
        until(lambda: self.records() == before)

    def test_a_room_given_up_is_freed(self) -> None:
        def used() -> int:
            self.client.sync()
            return int(self.client.status()["store_used"])

        before = used()
        room = self.client.create(1 << 20)
        self.assertGreater(used(), before)
        del room
        until(lambda: used() == before)

    def test_an_object_larger_than_the_store_raises(self) -> None:
        with self.error(errno.E2BIG):
            self.client.create(1 << 45)
        for size in (-1, 1 << 70):
            with self.assertRaises(ValueError):
                self.client.create(size)
        with self.assertRaises(TypeError):
            self.client.create("x")  # type: ignore[arg-type]

    def test_put_takes_buffers_alone(self) -> None:
        wrong: list[Any] = ["text", 5, None, self.client.put(b"x")]
        for data in wrong:
            with self.assertRaises(TypeError):
                self.client.put(data)
        strided = memoryview(b"abcdef")[::2]
        with self.assertRaises(BufferError):
            self.client.put(strided)


class References(Case):
    def test_a_reference_by_its_text(self) -> None:
        ref = self.client.put(b"x" * 100)
        again = self.client.hold(ref.text)
        self.assertEqual((again, hash(again)), (ref, hash(ref)))
        self.assertNotEqual(ref, self.client.put(b""))
        self.assertNotEqual(ref, ref.text)
        self.assertEqual((again.id, again.runtime), (ref.id, ref.runtime))
        self.assertIs(ref.client, self.client)
        self.assertIn(ref.text, repr(ref))
        with self.assertRaises(TypeError):
            _ = ref < again
        with self.error(errno.EINVAL):
            self.client.hold("nonsense")
        with self.assertRaises(TypeError):
            self.client.hold(5)  # type: ignore[call-overload]

    def test_another_client_holds_the_value(self) -> None:
        ref = self.client.put(b"shared" * 100)
        other = _core.connect(self.name)
        held = other.hold(ref.text)
        del ref
        self.client.close()
        self.assertEqual(bytes(other.get(held)), b"shared" * 100)
        other.close()

    def test_a_stale_reference_raises(self) -> None:
        ref = self.client.put(b"x" * 100)
        text = ref.text
        del ref
        gc.collect()
        until(lambda: self.records() == 0)
        with self.error(errno.ESTALE):
            self.client.hold(text)

    def test_a_reference_of_another_runtime_raises(self) -> None:
        with support.runtime("core-other", python=None) as name:
            other = _core.connect(name)
            ref = other.put(b"x")
            for use in (
                self.client.get,
                self.client.cancel,
                self.client.failure,
                self.client.keep,
                self.client.explain,
            ):
                with self.error(errno.EXDEV):
                    use(ref)
            with self.error(errno.EXDEV):
                self.client.submit("probe.echo", (ref,))
            with self.error(errno.EXDEV):
                self.client.wait([ref], 1)
            self.assertEqual(self.client.state(ref), _core.GONE)
            other.close()

    def test_kept_values_stay_until_forgotten(self) -> None:
        ref = self.client.put(b"kept" * 100)
        text = ref.text
        self.client.keep(ref)
        del ref
        gc.collect()
        again = self.client.hold(text)
        self.client.forget(again)
        del again
        until(lambda: self.records() == 0)

    def test_dropped_references_leave_an_empty_runtime(self) -> None:
        refs = []
        for _ in range(10):
            refs += self.client.submit_many("probe.noop", [()] * 2000)
        self.assertTrue(self.client.wait_all(PATIENCE_MS))
        self.assertEqual(self.client.wait(refs, len(refs)), b"\1" * len(refs))
        for _ in range(80000):
            self.client.put(b"x")
        del refs
        gc.collect()
        until(lambda: self.records() == 0)
        self.assertEqual(self.client.status()["store_used"], 0)

    def test_nothing_is_made_from_python(self) -> None:
        for kind in (_core.Ref, _core.Client, _core.View, _core.Room, _core.Call):
            with self.assertRaises(TypeError):
                kind()
        with self.assertRaises(TypeError):
            _core.set_types(int)  # type: ignore[arg-type]

    def test_calls_leave_no_objects_behind(self) -> None:
        def work() -> None:
            for _ in range(2000):
                ref = self.client.submit("probe.echo", (b"x", bytearray(b"y")))
                self.client.wait([ref], 1, PATIENCE_MS)
                memoryview(self.client.get(ref))
                self.client.state(ref)
                self.client.settled([ref], 0, 1)
                with contextlib.suppress(_core.Error):
                    self.client.submit("no.such")
                with contextlib.suppress(TypeError):
                    self.client.get(ref, "x")  # type: ignore[arg-type]
                with contextlib.suppress(_core.Error):
                    self.client.hold("?")
                room = self.client.create(100)
                room.write(0, b"z")
                room.seal()

        import tracemalloc

        work()
        tracemalloc.start()
        try:
            gc.collect()
            before = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
            work()
            gc.collect()
            after = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        self.assertLess(after[0] - before[0], 100)
        self.assertLess(after[1] - before[1], 50000)


class Waits(Case):
    def test_wait_tells_which_are_settled(self) -> None:
        slow = self.client.submit("probe.sleep", (b"20000",))
        quick = self.client.put(b"x")
        self.assertEqual(self.client.wait([slow, quick], 1), b"\0\1")
        self.assertEqual(self.client.wait((slow, quick), 2, 10), b"\0\1")
        self.assertEqual(self.client.wait([slow, quick], 2, timeout_ms=0), b"\0\1")
        self.assertEqual(self.client.settled([slow, quick, quick]), [1, 2])
        self.assertEqual(self.client.settled([slow, quick, quick], 2, 5), [2])
        self.assertEqual(self.client.settled([slow, quick], 0, 1), [])
        self.assertFalse(self.client.wait_all(0))
        with self.assertRaises(TimeoutError) as caught:
            self.client.get(slow, 10)
        self.assertIn("10 ms", str(caught.exception))
        self.client.cancel(slow, 0)
        self.assertEqual(self.client.wait([slow, quick], 2, PATIENCE_MS), b"\1\1")

    def test_wrong_waits_are_refused(self) -> None:
        ref = self.client.put(b"x")
        with self.error(errno.EINVAL):
            self.client.wait([ref], 2)
        for words in (([ref, 5], 1), (5, 1), ([ref], "1"), ([ref],), ([ref], 1, "1")):
            with self.assertRaises(TypeError):
                self.client.wait(*words)
        with self.assertRaises(TypeError):
            self.client.settled((ref,))  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            self.client.get("ref")  # type: ignore[arg-type]

    def test_the_descriptor_tells_of_settled_futures(self) -> None:
        poll = select.poll()
        poll.register(self.client.fd(), select.POLLIN)
        self.client.acknowledge()
        ref = self.client.submit("probe.noop")
        until(lambda: bool(poll.poll(PATIENCE_MS)) and self.client.acknowledge())
        self.assertEqual(self.value(ref), b"")

    def test_threads_wait_at_once(self) -> None:
        found: list[bytes] = []

        def one(i: int) -> None:
            ref = self.client.submit("probe.echo", (b"%d" % i, b" " * 100))
            found.append(self.value(ref))

        threads = [threading.Thread(target=one, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(map(int, found)), list(range(16)))

    def test_a_wait_leaves_the_interpreter_to_others(self) -> None:
        slow = self.client.submit("probe.sleep", (b"20000",))
        done = threading.Event()

        def wait() -> None:
            with contextlib.suppress(_core.TaskCancelled):
                self.client.get(slow, PATIENCE_MS)
            done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: self.client.state(slow) == _core.RUNNING)
        self.client.cancel(slow, 0)
        self.assertTrue(done.wait(PATIENCE_MS / 1000))
        thread.join()

    def test_ctrl_c_ends_each_wait(self) -> None:
        slow = self.client.submit("probe.sleep", (b"60000",))
        self.addCleanup(self.client.cancel, slow, 0)
        waits: list[Callable[[], object]] = [
            lambda: self.client.get(slow),
            lambda: self.client.wait([slow], 1),
            lambda: self.client.wait([slow, self.client.put(b"")], 2),
            lambda: self.client.wait_all(),
        ]
        for wait in waits:
            thread = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
            thread.start()
            with self.assertRaises(KeyboardInterrupt):
                wait()
            thread.join()

    def test_the_exception_of_a_signal_handler_is_raised(self) -> None:
        def handler(_number: int, _frame: object) -> None:
            seen.append(1)
            if len(seen) == 2:
                raise LookupError("from the handler")

        seen: list[int] = []
        slow = self.client.submit("probe.sleep", (b"60000",))
        self.addCleanup(self.client.cancel, slow, 0)
        former = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, former)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            with self.assertRaises(LookupError):
                self.client.get(slow)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def test_interrupt_ends_waits_until_its_end(self) -> None:
        slow = self.client.submit("probe.sleep", (b"60000",))
        self.addCleanup(self.client.cancel, slow, 0)
        self.client.interrupt()
        with self.error(errno.EINTR):
            self.client.get(slow)
        self.client.interrupt_end()
        with self.assertRaises(TimeoutError):
            self.client.get(slow, 10)


class Life(Case):
    def test_a_closed_client_refuses(self) -> None:
        ref = self.client.put(b"x" * 100)
        room = self.client.create(10)
        self.client.close()
        self.client.close()
        self.assertTrue(self.client.closed)
        for use in (
            lambda: self.client.get(ref),
            lambda: self.client.submit("probe.noop"),
            lambda: self.client.put(b""),
            lambda: self.client.wait([ref], 1),
            lambda: self.client.state(ref),
            lambda: self.client.status(),
            lambda: self.client.fd(),
            lambda: self.client.hold(ref.text),
            lambda: self.client.name,
            room.seal,
        ):
            with self.error(errno.EBADF, "closed"):
                use()

    def test_a_closed_client_leaves_views_readable(self) -> None:
        view = memoryview(self.client.get(self.client.put(b"v" * 5000)))
        self.client.close()
        self.assertEqual(bytes(view), b"v" * 5000)
        other = _core.connect(self.name)
        self.assertEqual(futures(other), 1)
        view.release()
        until(lambda: futures(other) == 0)
        other.close()

    def test_close_ends_the_waits_of_other_threads(self) -> None:
        slow = self.client.submit("probe.sleep", (b"60000",), _core.Options(tied=True))
        errors: list[int | None] = []

        def wait() -> None:
            try:
                self.client.get(slow)
            except _core.Error as error:
                errors.append(error.errno)

        threads = [threading.Thread(target=wait) for _ in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: self.client.state(slow) == _core.RUNNING)
        self.client.close()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [errno.EBADF] * 4)

    def test_threads_and_close_do_not_crash(self) -> None:
        for _ in range(20):
            client = _core.connect(self.name)

            def work(client: _core.Client = client) -> None:
                with contextlib.suppress(_core.Error):
                    while True:
                        client.get(client.submit("probe.echo", (b"x" * 100,)))

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            self.assertGreaterEqual(client.status()["records_used"], 0)
            client.close()
            for thread in threads:
                thread.join()

    def test_a_child_of_a_fork_connects_anew(self) -> None:
        ref = self.client.put(b"x" * 5000)
        view = self.client.get(ref)
        room = self.client.create(10)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for use in (
                    lambda: self.client.get(ref),
                    lambda: self.client.submit("probe.noop"),
                    lambda: self.client.state(ref),
                    lambda: self.client.status(),
                    room.seal,
                ):
                    try:
                        use()
                        os._exit(2)
                    except _core.Error as error:
                        if error.errno != errno.ECHILD:
                            os._exit(3)
                anew = _core.connect(self.name)
                held = anew.hold(ref.text)
                del ref, view, room
                self.client.close()
                gc.collect()
                code = 0 if bytes(anew.get(held)) == b"x" * 5000 else 4
                anew.close()
            finally:
                os._exit(code)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
        self.assertEqual(bytes(view), b"x" * 5000)
        self.assertEqual(self.value(ref), b"x" * 5000)
        room.seal()

    def test_no_runtime_no_client(self) -> None:
        with self.error(errno.ENOENT):
            _core.connect("core-no-such")
        for words in ((5,), (None, False, "x"), (1, 2, 3, 4)):
            with self.assertRaises(TypeError):
                _core.connect(*words)

    def test_the_end_of_the_runtime_ends_waits(self) -> None:
        with support.runtime("core-ends", python=None) as name:
            client = _core.connect(name)
            slow = client.submit("probe.sleep", (b"60000",))
            until(lambda: client.state(slow) == _core.RUNNING)
            _core.connect(name, visit=True).stop(now=True)
            with self.assertRaises((_core.Error, _core.TaskCancelled, _core.TaskFailed)):
                client.get(slow, PATIENCE_MS)
            client.close()

    def test_the_module_can_be_imported_anew(self) -> None:
        support.script(
            "import sys, gc\n"
            "from plm import _core as first\n"
            "del sys.modules['plm._core']\n"
            "import importlib\n"
            "second = importlib.import_module('plm._core')\n"
            "assert first.Error is not second.Error\n"
            "del first; gc.collect()\n"
            "second.Options(priority=1)\n"
        )


class FullTable(Case):
    options = ("--tasks", "1000")

    def test_a_full_table_raises_and_tells_what_was_accepted(self) -> None:
        with self.assertRaises(_core.Error) as caught:
            self.client.submit_many("probe.noop", [()] * 5000)
        self.assertEqual(caught.exception.errno, errno.ENOSPC)
        accepted = caught.exception.accepted
        self.assertGreater(len(accepted), 100)
        self.assertEqual(self.client.wait(accepted, len(accepted), PATIENCE_MS)[:1], b"\1")

    def test_patience_is_interrupted_by_a_signal(self) -> None:
        refs = []
        with contextlib.suppress(_core.Error):
            while True:
                refs.append(self.client.put(b""))
        self.client.patience(60000)
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.client.put(b"")
        timer.join()
        refs.clear()


class Worker(unittest.TestCase):
    """The Call of a Python worker, seen from its tasks (core_tasks.py)."""

    stack: ClassVar[contextlib.ExitStack]
    session: ClassVar[_session.Session]

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = contextlib.ExitStack()
        name = cls.stack.enter_context(support.runtime("core-worker", "--workers", "1"))
        cls.session = _session.Session(_core.connect(name))
        cls.stack.callback(cls.session.close)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.stack.close()

    def run_task(self, function: Callable[..., Any], *args: Any) -> Any:
        return self.session.value(self.session.submit(function, args, {}), PATIENCE_MS / 1000)

    def records(self) -> int:
        return futures(self.session.core)

    def tearDown(self) -> None:
        self.run_task(core_tasks.forget)
        until(lambda: self.records() == 0)

    def test_a_view_outlives_its_task(self) -> None:
        ref = self.session.put(b"\1" * 5000)
        self.assertEqual(self.run_task(core_tasks.keep_view, ref), 5000)
        del ref
        gc.collect()
        for _ in range(50):  # would take the room of a value that is freed
            self.session.put(b"\7" * 5000)
        total = self.run_task(core_tasks.kept_sum)
        self.assertLess(total, 6000)
        self.assertGreaterEqual(total, 5000)

    def test_a_ref_outlives_its_task(self) -> None:
        self.run_task(core_tasks.put_and_keep, 5)
        self.assertEqual(self.run_task(core_tasks.read_kept), b"\5\5")

    def test_an_ended_call_refuses(self) -> None:
        self.run_task(core_tasks.keep_call)
        said = self.run_task(core_tasks.use_kept_call)
        self.assertEqual(said, ["the task of this Call has ended"] * 8)

    def test_a_call_refuses_wrong_arguments(self) -> None:
        self.assertEqual(
            self.run_task(core_tasks.misuse),
            ["IndexError", "IndexError", "Error", "TypeError", "TypeError", "Error"],
        )

    def test_a_worker_leaves_when_python_may_write_to_memory_of_others(self) -> None:
        for task, args in (
            (core_tasks.keep_room, (1,)),
            (core_tasks.keep_room_of_a_failure, ()),
        ):
            before = self.run_task(core_tasks.process)
            with contextlib.suppress(LookupError):
                self.run_task(task, *args)
            self.assertNotEqual(self.run_task(core_tasks.process), before)

    def test_a_waiting_task_runs_a_function_in_c(self) -> None:
        self.assertEqual(self.run_task(core_tasks.call_c_function), b"in C")


if __name__ == "__main__":
    support.main()
