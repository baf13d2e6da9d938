"""Workers and zygotes are killed at random while thousands of Python tasks run: each task is done
once, or fails with WorkerDied, or runs again by crash_retries. None is lost, no result is wrong."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import TestCase

import support
from support import append, lines, until

import plm

SECONDS = float(os.environ.get("PLM_CHAOS_SECONDS", "4"))


def work(path: str, number: int, size: int) -> tuple[int, bytes]:
    """Notes that the task was done, then returns a result that can be checked."""
    append(path, str(number))
    return number, bytes([number % 251]) * size


def dependent(value: tuple[int, bytes]) -> tuple[int, int]:
    return value[0], len(value[1])


def members(manager: int) -> tuple[list[int], list[int]]:
    """The processes of a runtime: Python workers, zygotes."""
    workers, zygotes = [], []
    with contextlib.suppress(OSError):
        for pid in Path(f"/proc/{manager}/task/{manager}/children").read_text().split():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                if name == "plm-worker":
                    workers.append(int(pid))
                elif b"plm._zygote" in command:
                    zygotes.append(int(pid))
    return workers, zygotes


class Killer(threading.Thread):
    """Kills a random worker, seldom a zygote, until it is stopped."""

    def __init__(self, manager: int, seed: int) -> None:
        super().__init__()
        self.manager = manager
        self.random = random.Random(seed)
        self.ended = threading.Event()
        self.kills = 0

    def run(self) -> None:
        while not self.ended.wait(self.random.uniform(0.005, 0.15)):
            workers, zygotes = members(self.manager)
            victims = zygotes if zygotes and self.random.random() < 0.1 else workers
            if victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.random.choice(victims), signal.SIGKILL)
                    self.kills += 1


class Chaos(TestCase):
    def setUp(self) -> None:
        self.seed = int(os.environ.get("PLM_CHAOS_SEED", time.time_ns() % 1_000_000))
        print(f"seed {self.seed}", file=sys.stderr)
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.path = os.path.join(self.folder, "done")

    def chaos(self, **options: Any) -> tuple[dict[int, Any], int]:
        """What became of each task: its value, or its exception; and the number of kills."""
        ended: dict[int, Any] = {}
        dice = random.Random(self.seed)
        with plm.Executor(3) as pool:
            runtime = pool._runtime
            assert runtime is not None
            pool.submit(os.getpid).result()
            killer = Killer(runtime.pid, self.seed)
            killer.start()
            try:
                end, number = time.monotonic() + SECONDS, 0
                submit = pool.options(**options).submit
                while time.monotonic() < end:
                    batch = {}
                    for _ in range(200):
                        size = dice.choice((1, 100, 5_000, 200_000))
                        batch[number] = (submit(work, self.path, number, size), size)
                        number += 1
                    following = {
                        n: submit(dependent, batch[n][0]) for n in dice.sample(sorted(batch), 20)
                    }
                    for n, (future, size) in batch.items():
                        ended[n] = future.exception(60) or future.result()
                        if not isinstance(ended[n], BaseException):
                            self.assertEqual(ended[n], (n, bytes([n % 251]) * size))
                            ended[n] = n
                    for n, after in following.items():
                        error = after.exception(60)
                        if error is None:
                            self.assertEqual(after.result(), (n, batch[n][1]))
                        else:
                            self.assertIsInstance(error, plm.WorkerDied)
            finally:
                killer.ended.set()
                killer.join()
            # The executor is as usable as before.
            self.assertEqual(list(pool.map(abs, range(-100, 0))), list(range(100, 0, -1)))
            self.assertEqual(pool._session.core.status()["running"], 0)
            name = runtime.name
        until(lambda: not support.segments(name), "the segments are gone")
        self.assertGreater(killer.kills, 5)
        return ended, killer.kills

    def test_a_task_is_done_once_or_fails_with_WorkerDied(self) -> None:
        ended, kills = self.chaos()
        done = [int(line) for line in lines(self.path)]
        self.assertEqual(len(done), len(set(done)), "a task ran twice")
        failed = [n for n, value in ended.items() if isinstance(value, BaseException)]
        for n in failed:
            self.assertIsInstance(ended[n], plm.WorkerDied)
            self.assertEqual(ended[n].signal, signal.SIGKILL)
        self.assertLessEqual(len(failed), kills)
        self.assertLessEqual(set(ended) - set(failed), set(done), "a result of a task not run")

    def test_crash_retries_repeat_what_died(self) -> None:
        ended, kills = self.chaos(crash_retries=100)
        failed = [value for value in ended.values() if isinstance(value, BaseException)]
        self.assertEqual(failed, [])
        done = [int(line) for line in lines(self.path)]
        self.assertEqual(set(done), set(ended), "a task was lost")
        self.assertLessEqual(len(done) - len(set(done)), kills)


if __name__ == "__main__":
    support.main()
