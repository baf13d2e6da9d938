"""When things go wrong: deaths, memory, imports, pickles, Ctrl-C, what tasks leave behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import support
from support import touch, until, wait_for_file

import plm

# ---- values that make trouble ----


class NoPickle:
    """Refuses to be pickled."""

    def __reduce__(self) -> str:
        raise RuntimeError("no pickles of me")


def _refuse(*_: object) -> None:
    raise RuntimeError("no unpickling of me")


class NoUnpickle:
    """Can be pickled; its pickle cannot be read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


class ErrorWithArgs(Exception):
    """Keeps type, arguments and attributes."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(code, words)
        self.extra = {"code": code}


class ErrorThatDoesNotUnpickle(Exception):
    """The usual mistake: the constructor wants more than args has."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class ErrorWithNoPickle(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


class ErrorWithoutWords(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


# ---- tasks ----


def echo(value: Any) -> Any:
    return value


def process(*_: Any) -> int:
    return os.getpid()


def process_at(gate: str) -> int:
    wait_for_file(gate)
    return os.getpid()


def raises(kind: type[BaseException], *args: Any) -> None:
    raise kind(*args)


def raises_chained() -> None:
    try:
        dict[str, int]()["missing"]
    except KeyError as error:
        raise ValueError("outer") from error


def returns(what: type[Any]) -> Any:
    return what()


def returns_lock() -> Any:
    return threading.Lock()


def overflows(n: int = 0) -> int:
    return overflows(n + 1) + 1


def overflows_in_c() -> None:
    sys.setrecursionlimit(10**7)
    deep: Any = []
    for _ in range(10**6):
        deep = [deep]
    repr(deep)


def takes_memory(limited: bool) -> None:
    if limited:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), before[1]))
        try:
            bytearray(1 << 30)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
    else:
        bytearray(1 << 62)


def imports(name: str) -> None:
    __import__(name)


def forks(how: str, path: str) -> int:
    child = os.fork()
    if child == 0:
        touch(f"{path}.{how}")
        if how == "exit":
            os._exit(0)
        if how == "raise":
            raise ValueError("in the child")
        return -1
    os.waitpid(child, 0)
    return os.getpid()


def burns_and_exits(seconds: float) -> None:
    while time.process_time() < seconds:
        pass
    os._exit(7)


def moves(folder: str) -> str:
    os.chdir(folder)
    return os.getcwd()


def directory() -> str:
    return os.getcwd()


def takes_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM):
        signal.signal(number, lambda *_: None)


def handlers() -> list[str]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM)
    return [str(signal.getsignal(n)) for n in numbers] + [
        line for line in Path("/proc/self/status").read_text().splitlines() if "SigCgt" in line
    ]


def closes_streams(how: str) -> None:
    print("lost or not")
    if how == "descriptors":
        for fd in range(3):
            os.close(fd)
    elif how == "streams":
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            stream.close()
    elif how == "redirect":
        fd = os.open("/dev/null", os.O_RDWR)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        os.close(fd)
    elif how == "replace":
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.stderr = None


def says(words: str) -> int:
    print(words)
    return os.getpid()


def descriptors() -> list[str]:
    return [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)]


def swallows(path: str) -> None:
    touch(f"{path}.begun")
    while True:
        with contextlib.suppress(BaseException):
            wait_for_file(f"{path}.never", 3600)


def finalizes_slowly(path: str) -> None:
    touch(f"{path}.begun")
    try:
        wait_for_file(f"{path}.never", 3600)
    finally:
        end = time.monotonic() + 0.9
        while time.monotonic() < end:  # over all repeated interrupts of the grace
            time.sleep(0.01)
        touch(f"{path}.whole")


def waits_nested(path: str) -> None:
    touch(f"{path}.begun")
    try:
        plm.get(plm.remote(wait_for_file).remote(f"{path}.never", 3600))
    except plm.TaskStopped:
        touch(f"{path}.stopped")
        raise


def exits(code: int) -> None:
    sys.exit(code)


def set_up(folder: str) -> None:
    os.chdir(folder)
    signal.signal(signal.SIGALRM, signal.SIG_IGN)


def state() -> tuple[str, bool]:
    return os.getcwd(), signal.getsignal(signal.SIGALRM) is signal.SIG_IGN


class Shared(unittest.TestCase):
    pool: plm.Executor
    folder: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.pool = cls.enterClassContext(plm.Executor(max_workers=2))
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())

    def path(self, name: str) -> str:
        return os.path.join(self.folder, f"{self.id().rpartition('.')[2]}.{name}")

    def both_pids(self) -> set[int]:
        """Of both workers, also of one that seldom gets a task."""
        gate = self.path("gate")
        both = [self.pool.submit(process_at, gate) for _ in range(2)]
        until(lambda: all(future.running() for future in both), "each worker runs a task")
        touch(gate)
        pids = {future.result() for future in both}
        self.assertEqual(len(pids), 2)
        return pids

    def assert_usable(self) -> None:
        self.assertEqual(list(self.pool.map(echo, range(20))), list(range(20)))

    def died(self, function: Any, *args: Any) -> plm.WorkerDied:
        other = self.pool.submit(echo, 1)
        with self.assertRaises(plm.WorkerDied) as caught:
            self.pool.submit(function, *args).result()
        self.assertEqual(other.result(), 1, "another task suffered")
        self.assert_usable()
        return caught.exception


class Deaths(Shared):
    def test_os_exit_is_the_death_of_one_task(self) -> None:
        self.assertIn("exit code 3", str(self.died(os._exit, 3)))
        self.assertIn("exit", str(self.died(os._exit, 0)))

    def test_a_death_tells_how_and_what_the_worker_had_used(self) -> None:
        first = self.pool.submit(burns_and_exits, 0.05)
        dependent = self.pool.submit(str, first)
        for future in (first, dependent):
            error = future.exception()
            assert isinstance(error, plm.WorkerDied)
            again = pickle.loads(pickle.dumps(error))
            for told in (error, again):
                self.assertEqual((told.exitcode, told.signal), (7, 0))
                self.assertGreaterEqual(told.usage["user"] + told.usage["system"], 0.05)
                self.assertGreater(told.usage["rss"], 1 << 20)
        self.assertIsNone(self.died(os.abort).exitcode)

    def test_a_segmentation_fault_names_the_signal(self) -> None:
        error = self.died(ctypes.string_at, 0)
        self.assertEqual(error.signal, signal.SIGSEGV)
        self.assertEqual(self.died(os.abort).signal, signal.SIGABRT)

    def test_a_stack_overflow_in_c_is_the_death_of_one_task(self) -> None:
        future = self.pool.submit(overflows_in_c)
        self.assertIsInstance(future.exception(), (plm.WorkerDied, RecursionError, MemoryError))
        self.assert_usable()

    def test_a_recursion_without_end_is_an_exception(self) -> None:
        with self.assertRaises(RecursionError) as caught:
            self.pool.submit(overflows).result()
        self.assertIn("overflows", str(caught.exception.__cause__))
        self.assert_usable()

    def test_want_of_memory_is_an_exception(self) -> None:
        for limited in (False, True):
            self.assertRaises(MemoryError, self.pool.submit(takes_memory, limited).result)
        self.assert_usable()

    def test_sys_exit_ends_the_task_and_not_the_worker(self) -> None:
        pids = self.both_pids()
        with self.assertRaises(SystemExit) as caught:
            self.pool.submit(exits, 5).result()
        self.assertEqual(caught.exception.code, 5)
        self.assertRaises(KeyboardInterrupt, self.pool.submit(raises, KeyboardInterrupt).result)
        self.assertRaises(GeneratorExit, self.pool.submit(raises, GeneratorExit).result)
        self.assertLessEqual({self.pool.submit(process).result() for _ in range(50)}, pids)

    def test_a_module_that_fails_to_import_is_the_error_of_the_task(self) -> None:
        self.assertRaises(ImportError, self.pool.submit(imports, "no_such_module").result)
        name = "module_that_breaks"
        Path(self.folder, f"{name}.py").write_text("1 / 0\n", encoding="ascii")
        here = sys.modules[name] = type(sys)(name)  # the program has it, the worker cannot
        try:
            here.function = lambda: 1  # type: ignore[attr-defined]
            here.function.__module__, here.function.__qualname__ = name, "function"
            self.assertRaises(ImportError, self.pool.submit(here.function).result)
        finally:
            del sys.modules[name]
        self.assert_usable()

    def test_a_fork_in_a_task_leaves_one_worker(self) -> None:
        pids = self.both_pids()
        for how in ("exit", "return", "raise"):
            path = self.path("fork")
            self.assertIn(self.pool.submit(forks, how, path).result(), pids)
            self.assertTrue(os.path.exists(f"{path}.{how}"))
        self.assertLessEqual({self.pool.submit(process).result() for _ in range(50)}, pids)


class Errors(Shared):
    def test_type_arguments_attributes_and_remote_traceback_come_back(self) -> None:
        with self.assertRaises(ErrorWithArgs) as caught:
            self.pool.submit(raises, ErrorWithArgs, 7, "words").result()
        error = caught.exception
        self.assertEqual((error.args, error.extra), ((7, "words"), {"code": 7}))
        self.assertIn("in raises", str(error.__cause__))
        self.assertIn("ErrorWithArgs", str(error.__cause__))
        with self.assertRaises(ValueError) as caught_two:
            self.pool.submit(raises_chained).result()
        self.assertIn("KeyError", str(caught_two.exception.__cause__))

    def test_an_exception_that_cannot_travel_comes_as_words(self) -> None:
        for kind, args, words in (
            (ErrorThatDoesNotUnpickle, (1, 2), "1 and 2"),
            (ErrorWithNoPickle, (), "holds a lock"),
            (ErrorWithoutWords, (), "ErrorWithoutWords"),
        ):
            with self.subTest(kind.__name__):
                error = self.pool.submit(raises, kind, *args).exception()
                assert error is not None
                self.assertIsInstance(error, (plm.RemoteError, kind))
                if isinstance(error, plm.RemoteError):
                    self.assertIn(kind.__name__, str(error))
                    self.assertIn(words, str(error))
                self.assertIn("in raises", str(error.__cause__))
        long = self.pool.submit(raises, ValueError, "x" * 1_000_000).exception()
        self.assertIn("xxx", str(long))
        self.assert_usable()

    def test_arguments_that_cannot_be_pickled_are_errors_of_their_task(self) -> None:
        good = self.pool.submit(echo, 1)
        for value in (NoPickle(), threading.Lock(), (n for n in range(3))):
            future = self.pool.submit(echo, value)
            self.assertIsInstance(future.exception(), (TypeError, RuntimeError))
            self.assertTrue(future.done())
        error = self.pool.submit(echo, NoUnpickle()).exception()
        self.assertIsInstance(error, RuntimeError)
        self.assertIn("no unpickling of me", str(error))
        results = self.pool.map(echo, [1, NoUnpickle(), 3])
        self.assertEqual(next(results), 1)
        self.assertRaises(RuntimeError, next, results)
        self.assertEqual(good.result(), 1)
        self.assert_usable()

    def test_results_that_cannot_be_pickled_are_errors_of_their_task(self) -> None:
        self.assertIn("no pickles", str(self.pool.submit(returns, NoPickle).exception()))
        self.assertIsInstance(self.pool.submit(returns_lock).exception(), TypeError)
        future = self.pool.submit(returns, NoUnpickle)
        for _ in range(2):
            self.assertRaisesRegex(RuntimeError, "no unpickling of me", future.result)
        self.assertIsInstance(future.exception(), RuntimeError)
        self.assertTrue(future.done())
        done: list[Any] = []
        future.add_done_callback(done.append)
        self.assertEqual(done, [future])
        dependent = self.pool.submit(echo, self.pool.submit(returns, NoUnpickle))
        self.assertRaisesRegex(RuntimeError, "no unpickling of me", dependent.result)
        self.assert_usable()


class Left(Shared):
    """What a task leaves changed, the next one does not find."""

    def setUp(self) -> None:
        # One worker, so that the next task is in the same process.
        self.one = self.enterContext(plm.Executor(max_workers=1))

    def test_the_directory(self) -> None:
        before = self.one.submit(directory).result()
        self.assertEqual(self.one.submit(moves, self.folder).result(), self.folder)
        self.assertEqual(self.one.submit(directory).result(), before)
        gone = tempfile.mkdtemp()
        self.one.submit(moves, gone).result()
        os.rmdir(gone)
        self.assertEqual(self.one.submit(directory).result(), before)

    def test_signal_handlers(self) -> None:
        before = self.one.submit(handlers).result()
        self.one.submit(takes_signals).result()
        self.assertEqual(self.one.submit(handlers).result(), before)
        # The worker can still be stopped.
        path = self.path("task")
        future = self.one.options(grace=5).submit(finalizes_slowly, path)
        wait_for_file(f"{path}.begun")
        future.cancel()
        wait_for_file(f"{path}.whole")

    def test_streams_and_descriptors(self) -> None:
        program = textwrap.dedent(f"""
            import sys
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            import plm, test_faults as t
            with plm.Executor(1) as pool:
                before = pool.submit(t.descriptors).result()
                pid = pool.submit(t.says, 'first').result()
                for how in ("descriptors", "streams", "redirect", "replace"):
                    pool.submit(t.closes_streams, how).result()
                    assert pool.submit(t.says, 'after ' + how).result() == pid
                    assert pool.submit(t.descriptors).result() == before
        """)
        done = support.script(program)
        self.assertEqual(
            [line for line in done.stdout.splitlines() if "lost" not in line],
            ["first", "after descriptors", "after streams", "after redirect", "after replace"],
        )
        self.assertEqual(done.stderr, "")

    def test_what_the_initializer_sets_stays(self) -> None:
        with plm.Executor(1, initializer=set_up, initargs=(self.folder,)) as pool:
            for _ in range(3):
                self.assertEqual(pool.submit(state).result(), (self.folder, True))
                pool.submit(moves, "/").result()
                pool.submit(takes_signals).result()


class Stops(Shared):
    def test_a_task_that_swallows_TaskStopped_is_killed_and_is_cancelled(self) -> None:
        path = self.path("task")
        future = self.pool.options(grace=0.2).submit(swallows, path)
        wait_for_file(f"{path}.begun")
        pids = {self.pool.submit(process).result() for _ in range(20)}
        self.assertTrue(future.cancel())
        self.assertRaises(plm.CancelledError, future.result)
        until(
            lambda: len({self.pool.submit(process).result() for _ in range(20)} | pids) > 1
            and {f.result() for f in [self.pool.submit(process) for _ in range(40)]} - pids,
            "a new worker stands in for the killed one",
        )
        self.assertTrue(future.cancelled())

    def test_a_finalizer_runs_whole_within_the_grace(self) -> None:
        path = self.path("task")
        future = self.pool.options(grace=5).submit(finalizes_slowly, path)
        wait_for_file(f"{path}.begun")
        future.cancel()
        wait_for_file(f"{path}.whole")
        self.assertRaises(plm.CancelledError, future.result)

    def test_a_task_that_waits_for_another_is_stopped(self) -> None:
        path = self.path("task")
        future = self.pool.submit(waits_nested, path)
        wait_for_file(f"{path}.begun")
        future.cancel()
        wait_for_file(f"{path}.stopped")
        self.assertRaises(plm.CancelledError, future.result)


def rests(pid: int) -> bool:
    """Tells whether a process sleeps, or has ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "SZ"


class Interrupts(unittest.TestCase):
    """Ctrl-C in the program that waits."""

    def run_and_interrupt(self, body: str) -> tuple[int, str, str]:
        """Runs a program. Each line "ready" is answered by one SIGINT."""
        text = textwrap.dedent("""
            import os, signal, sys, time, plm
            # A shell starts programs in the background with SIGINT ignored.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            def ready():
                print("ready", flush=True)
            def begun(path):
                open(path, "w").close()
                time.sleep(3600)
            path = sys.argv[1]
        """) + textwrap.dedent(body)
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "program.py")
            Path(program).write_text(text, encoding="utf-8")
            with subprocess.Popen(
                [sys.executable, "-X", "dev", program, os.path.join(folder, "file")],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                assert process.stdout is not None and process.stderr is not None
                out = ""
                for line in process.stdout:
                    if line == "ready\n":
                        until(lambda: rests(process.pid), "the program waits")
                        process.send_signal(signal.SIGINT)
                    else:
                        out += line
                err = process.stderr.read()
            return process.returncode, out, err

    def test_the_first_ctrl_c_ends_the_wait_and_cancels_the_task(self) -> None:
        waits = {
            "future": "f = pool.submit(begun, path); ready(); f.result()",
            "remote": "plm.connect(pool._session.name)\n"
            "    f = plm.remote(begun).remote(path); ready(); plm.get(f)",
            "several": "plm.connect(pool._session.name)\n"
            "    f = plm.remote(begun).remote(path); ready(); plm.get([f, f])",
            "wait": "plm.connect(pool._session.name)\n"
            "    f = plm.remote(begun).remote(path); ready(); plm.wait([f])",
            "completed": "f = pool.submit(begun, path); ready(); list(plm.as_completed([f]))",
            "map": "f = None; m = pool.map(begun, [path, path]); ready(); list(m)",
        }
        for name, wait in waits.items():
            with self.subTest(name):
                submit, wait = wait.split("; ready(); ")
                code, out, err = self.run_and_interrupt(f"""
if __name__ == "__main__":
    pool = plm.Executor(1)
    {submit}
    for _ in range(1000):
        try:
            ready()
            {wait}
        except KeyboardInterrupt as error:
            frame = error.__traceback__.tb_next
            inside = frame and "/plm/" in frame.tb_frame.f_code.co_filename
            if inside if f is None else f.done():
                break
            # The signal came before the wait began: nothing was waited for.
    else:
        sys.exit("no wait has cancelled the task")
    print("interrupted", flush=True)
    try:
        print(f is None or f.result(60))
    except plm.CancelledError:
        print("cancelled")
    pool.shutdown()
""")
                # The runtime may tell of the worker that was still in its grace at the end.
                self.assertEqual((code, "Traceback" in err), (0, False), err)
                self.assertIn("interrupted\n", out)
                self.assertIn("cancelled" if name != "map" else "True", out)

    def test_a_ctrl_c_that_nobody_catches_ends_the_program(self) -> None:
        code, _, err = self.run_and_interrupt("""
            if __name__ == "__main__":
                with plm.Executor(2) as pool:
                    f = pool.submit(begun, path)
                    ready()
                    f.result()
        """)
        self.assertIn("KeyboardInterrupt", err)
        self.assertNotEqual(code, 0)

    def test_a_ctrl_c_in_the_middle_of_submissions_breaks_nothing(self) -> None:
        code, out, err = self.run_and_interrupt("""
            import signal, threading
            if __name__ == "__main__":
                with plm.Executor(2) as pool:
                    main = threading.get_ident()
                    stop = False
                    armed = [False]
                    def on_interrupt(number, frame):
                        if armed[0]:
                            armed[0] = False
                            raise KeyboardInterrupt
                    def poke():
                        while not stop:
                            signal.pthread_kill(main, signal.SIGINT)
                            time.sleep(0.002)
                    signal.signal(signal.SIGINT, on_interrupt)
                    ready()
                    poker = threading.Thread(target=poke)
                    poker.start()
                    futures, count, end = [], 0, time.monotonic() + 2
                    while time.monotonic() < end:
                        try:
                            armed[0] = True
                            futures.append(pool.submit(pow, 2, 5))
                            armed[0] = False
                        except KeyboardInterrupt:
                            count += 1
                    stop = True
                    poker.join()
                    assert count > 10 and len(futures) > 10, (count, len(futures))
                    assert all(f.result() == 32 for f in futures)
                    assert pool.submit(abs, -1).result() == 1
                    print("whole")
        """)
        self.assertEqual((code, err, out), (0, "", "whole\n"))


class Interpreters(unittest.TestCase):
    def test_two_interpreters_on_one_runtime(self) -> None:
        other = other_interpreter()
        if other is None:
            print("left out: there is only one interpreter from CPython 3.11 on", file=sys.stderr)
            return
        text = f"python={sys.executable} x1; python={other} x1"
        with support.runtime("two", "--workers", text, python=None) as name:
            for path in (sys.executable, other):
                program = (
                    "import sys, plm\n"
                    f"with plm.Executor(name={name!r}, python={path!r}) as pool:\n"
                    "    print(pool.submit(eval, '__import__(\"sys\").executable').result())\n"
                    "    print(pool.submit(pow, 2, 3).result())\n"
                )
                for client in (sys.executable, other):
                    done = subprocess.run(
                        [client, "-c", program], capture_output=True, text=True, check=False
                    )
                    self.assertEqual((done.stdout, done.stderr), (f"{path}\n8\n", ""))
            with self.assertRaises(plm.Error) as caught:
                plm.connect(name, python="/nowhere/python")
            self.assertIn(other, str(caught.exception))

    def test_an_interpreter_that_is_none_fails_the_boot(self) -> None:
        with self.assertRaises(plm.Error):
            plm.Executor(1, python="/nowhere/python")


def other_interpreter() -> str | None:
    """Another CPython from 3.11 on: of PATH, or of a manager of versions."""
    found = [shutil.which(f"python3.{minor}") for minor in range(11, 20)]
    found += [str(p) for p in Path.home().glob(".*/versions/3.*/bin/python3")]
    mine = sys.version_info[:2]
    for path in found:
        if path is None:
            continue
        words = "import sys; print(sys.version_info[:2], sys.version_info >= (3, 11))"
        done = subprocess.run([path, "-c", words], capture_output=True, text=True, check=False)
        said = done.stdout.strip()
        if done.returncode == 0 and said.endswith("True") and said != f"{mine} True":
            return path
    return None


class Handlers(unittest.TestCase):
    """The request to stop, inside of the worker."""

    def test_an_import_is_not_cut(self) -> None:
        from plm import _worker

        class Cancelled:
            @staticmethod
            def cancelled() -> bool:
                return True

        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "interrupted_module.py").write_text(
                "import sys\n"
                "sys.modules['plm._worker']._on_interrupt(0, sys._getframe())\n"
                "WHOLE = True\n"
            )
            with (
                mock.patch.object(sys, "path", [folder, *sys.path]),
                mock.patch.object(sys, "dont_write_bytecode", True),
                mock.patch.object(_worker, "_stoppable", Cancelled),
            ):
                import interrupted_module  # type: ignore[import-not-found]

                self.assertTrue(interrupted_module.WHOLE)
                with self.assertRaises(plm.TaskStopped):
                    _worker._on_interrupt(0, sys._getframe())


if __name__ == "__main__":
    support.main()
