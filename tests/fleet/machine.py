"""machine.py - the first process of a machine: starts, stops and kills what runs there.

    python3 machine.py NAME [--alone]

A machine has namespaces of its own for network, processes, mounts, name and time, and its own
/dev/shm. With --alone a machine is this process and its descendants. Each line on
standard input is an order in JSON, and each order has one line of answer. At the end of the input
everything on the machine is killed, so a test that dies leaves nothing behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

PR_SET_CHILD_SUBREAPER = 36
PR_SET_PDEATHSIG = 1

Order = dict[str, Any]


def parent_and_name(pid: str) -> tuple[int, str]:
    """Of a process in /proc; 0 when the process is gone or has ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return 0, ""
    fields = text.rpartition(")")[2].split()
    name = text.partition("(")[2].rpartition(")")[0]
    return (0 if fields[0] == "Z" else int(fields[1])), name


def descendants() -> dict[int, str]:
    """All living processes below this one, with their names."""
    rows = {int(p): parent_and_name(p) for p in os.listdir("/proc") if p.isdigit()}
    found = {os.getpid(): ""}
    more = True
    while more:
        new = {p: name for p, (parent, name) in rows.items() if parent in found and p not in found}
        found.update(new)
        more = bool(new)
    del found[os.getpid()]
    return found


def signal_all(number: int) -> int:
    """Sends a signal to every process of the machine, also to those born meanwhile."""
    seen: set[int] = set()
    while new := set(descendants()) - seen:
        for pid in new:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        seen |= new
    return len(seen)


class Machine:
    """What the orders do."""

    def __init__(self) -> None:
        self.started: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, order: Order) -> int:
        """Starts a program; its output goes to a file."""
        env = {**os.environ, **order.get("env", {})}
        with open(order["log"], "ab") as log:
            process = subprocess.Popen(
                order["words"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.started[process.pid] = process
        return process.pid

    def signal(self, order: Order) -> int:
        """To the processes of a name (of the kernel's 15 bytes), or to all."""
        number, name = order["signal"], order.get("name")
        if name is None:
            return signal_all(number)
        pids = [p for p, called in descendants().items() if called == name]
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        return len(pids)

    def power_off(self, order: Order) -> int:
        """Everything stops at once, and is then killed."""
        killed = signal_all(signal.SIGSTOP)
        while signal_all(signal.SIGKILL):
            self.reap()
        return killed

    def count(self, order: Order) -> int:
        """The processes of a name."""
        return sum(name == order["name"] for name in descendants().values())

    def reap(self) -> None:
        """Orphans of the machine end here."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.started.pop(pid, None)

    def obey(self, line: str) -> str:
        order = json.loads(line)
        verbs: dict[str, Callable[[Order], int]] = {
            "start": self.start,
            "signal": self.signal,
            "power_off": self.power_off,
            "count": self.count,
        }
        return json.dumps(verbs[order["verb"]](order))


def prepare(name: str, alone: bool) -> None:
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if alone:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        return
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], check=True)
    subprocess.run(["hostname", name], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def main() -> None:
    prepare(sys.argv[1], "--alone" in sys.argv)
    machine = Machine()
    woken, wakes = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    print(json.dumps("up"), flush=True)
    text = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            machine.reap()
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                break
            *lines, text = (text + more).split(b"\n")
            for line in lines:
                print(machine.obey(line.decode()), flush=True)
    machine.power_off({})


if __name__ == "__main__":
    main()
