"""The book that a test keeps: each task it was promised, each begin, each end, and what the engine
says at last.

A command takes a lock of its task for as long as any of its processes lives, and says when the lock
was taken: then two attempts run at once, wherever they are."""

from __future__ import annotations

import collections
import dataclasses
import json
import random
from collections.abc import Sequence

from fleet_world import World, until

WAIT_S = 240.0


@dataclasses.dataclass
class Task:
    name: str
    crash_retries: int
    seconds: float
    ref: str = ""
    dies: bool = False  # kills its worker each time
    before: str = ""  # what its shell does first


@dataclasses.dataclass
class Verdict:
    done: int = 0
    failed: int = 0
    again: int = 0
    beside: int = 0  # two attempts at once
    refused: int = 0  # ends that a host found void
    wrong: list[str] = dataclasses.field(default_factory=list)


class Ledger:
    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.path = world.directory / "ledger"
        self.locks = world.directory / "locks"
        self.locks.mkdir()
        self.path.touch()
        self.tasks: list[Task] = []
        # Hosts that were stopped: an attempt of theirs may stand beside the attempt that took over.
        self.stopped: set[str] = set()
        self.made: set[tuple[str, ...]] = set()

    def line_of(self, task: Task) -> str:
        """The task as a line of a task file. Its output names the attempt."""
        end = "kill -9 $PPID; sleep 9" if task.dies else f"sleep {task.seconds:.3f}"
        shell = (
            f"{task.before}exec 9>>{self.locks}/{task.name}; H=${{XDG_RUNTIME_DIR##*/}}; "
            f"flock -n 9 || echo {task.name} beside $H >>{self.path}; "
            f"echo {task.name} begin $H $$ >>{self.path}; {end}; "
            f"echo {task.name} end $H $$ >>{self.path}; echo {task.name} $H $$"
        )
        return json.dumps({"shell": shell, "label": task.name, "crash_retries": task.crash_retries})

    def load(
        self,
        n: int,
        seconds: float,
        crash_retries: int = 9,
        dies: bool = False,
        options: Sequence[str] = (),
        before: str = "",
    ) -> None:
        """Accepts n tasks. A load that was cut off is made again: --unique skips what is there."""
        new = [
            Task(
                f"t{len(self.tasks) + i}",
                crash_retries,
                seconds * self.chance.uniform(0.5, 1.5),
                dies=dies,
                before=before,
            )
            for i in range(n)
        ]
        text = "\n".join(self.line_of(task) for task in new)
        self.world.ctl("load", "--unique", *options, "-", stdin=text)
        self.tasks += new

    def lines(self, word: str) -> list[list[str]]:
        rows = [line.split() for line in self.path.read_text().splitlines()]
        return [row for row in rows if row[1] == word]

    def until_begun(self, n: int) -> None:
        until(lambda: len(self.lines("begin")) >= n, f"{n} attempts have begun", WAIT_S)

    def settled(self) -> bool:
        status = json.loads(self.world.ctl("status", "--json"))
        return all(status[name] == 0 for name in ("waiting", "ready", "pause", "running"))

    def judge(self) -> Verdict:
        """Waits until all tasks have ended, and holds the engine against the book."""
        until(self.settled, "all tasks have ended", WAIT_S)
        v = Verdict()
        rows = self.world.rows("tasks")
        status = json.loads(self.world.ctl("status", "--json"))
        v.done, v.failed = status["done"], status["failed"]
        found = collections.Counter(row["label"] for row in rows)
        states = collections.Counter(row["state"] for row in rows)
        if (states["done"], states["failed"]) != (v.done, v.failed):
            v.wrong.append(f"ends were counted twice: {status}, but {dict(states)}")
        begun = collections.Counter(row[0] for row in self.lines("begin"))
        self.made = {(row[0], *row[2:]) for row in self.lines("end")}
        by_name = {row["label"]: row for row in rows}
        for task in self.tasks:
            if found[task.name] != 1:
                v.wrong.append(f"{task.name} was accepted, and is there {found[task.name]} times")
                continue
            self.judge_one(v, task, by_name[task.name], begun[task.name])
        v.again = sum(n - 1 for n in begun.values() if n)
        v.beside = len(self.lines("beside"))
        self.judge_beside(v)
        v.refused = self.world.logs().count(" is void on host ")
        return v

    def judge_beside(self, v: Verdict) -> None:
        """The attempt that was still running is the last that began before and has not ended."""
        running: dict[str, set[str]] = collections.defaultdict(set)
        for name, word, host in (line.split()[:3] for line in self.path.read_text().splitlines()):
            if word == "begin":
                running[name].add(host)
            elif word == "beside" and not running[name] & self.stopped:
                v.wrong.append(f"{name} began on {host} beside one on {running[name]}")

    def judge_one(self, v: Verdict, task: Task, row: dict[str, object], begun: int) -> None:
        if begun > 1 + task.crash_retries:
            v.wrong.append(f"{task.name} began {begun} times with {task.crash_retries} retries")
        if task.dies:
            if row["state"] != "failed":
                v.wrong.append(f"{task.name} dies each time, and is {row['state']}")
            return
        if row["state"] == "failed" and task.crash_retries > 0:
            v.wrong.append(f"{task.name} failed with {task.crash_retries} crash retries: {row}")
        if row["state"] == "done":
            self.judge_value(v, task, str(row["ref"]))

    def judge_value(self, v: Verdict, task: Task, ref: str) -> None:
        """The value is that of an attempt which has come to its end."""
        value = self.world.ctl("get", ref).split()
        if tuple(value) not in self.made:
            v.wrong.append(f"{task.name} has the value {value}, which no attempt has made")


def show(what: str, v: Verdict) -> str:
    return (
        f"{what}: {v.done} tasks done, {v.failed} failed as they may, {v.again} begun again, "
        f"{v.beside} beside a stopped attempt, {v.refused} late ends refused, {len(v.wrong)} wrong"
    )
