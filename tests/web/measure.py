"""Measures what plmweb costs while a page is open on a busy runtime, beside the limits promised.

    PLM_BIN=. python3 tests/web/measure.py [SECONDS]

Two clients flood a runtime of 1, then of 64 workers with no-ops through libplm, and a reader takes
each frame of /api/live with the task stream, as a page does. A second runtime has a table of a
million settled tasks. Never decides anything: prints a row for each number, and exits with 0.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from web_support import ROOT, Live, Server, runtime

BATCH = 10_000
RECORDS = 1_000_000
TICKS = os.sysconf("SC_CLK_TCK")


class Task(ctypes.Structure):
    """plm_task of client/plm.h."""

    _fields_ = (
        ("function", ctypes.c_char_p),
        ("args", ctypes.c_void_p),
        ("nargs", ctypes.c_size_t),
        ("priority", ctypes.c_int),
        ("results", ctypes.c_uint),
        ("retries", ctypes.c_uint),
        ("crash_retries", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("terms", ctypes.c_void_p),
        ("identity", ctypes.c_uint64 * 2),
        ("reserved", ctypes.c_uint64),
    )


class Ref(ctypes.Structure):
    """plm_ref of client/plm.h."""

    _fields_ = (("id", ctypes.c_uint64), ("runtime", ctypes.c_uint64))


class Client:
    """A connection by libplm, for batches of no-ops."""

    def __init__(self, name: str) -> None:
        self.lib = ctypes.CDLL(str(ROOT / "build" / "release" / "libplm.so"))
        self.rt = ctypes.c_void_p()
        self.check(self.lib.plm_connect(ctypes.byref(self.rt), name.encode()))
        self.tasks = (Task * BATCH)(*[Task(function=b"probe.noop") for _ in range(BATCH)])

    def check(self, code: int) -> None:
        """Ends the program with the sentence of the error."""
        self.lib.plm_why.restype = ctypes.c_char_p
        if code < 0:
            raise SystemExit(self.lib.plm_why().decode())

    def submit(self) -> Any:
        """A batch; returns the references."""
        refs = (Ref * BATCH)()
        n = ctypes.c_size_t(BATCH)
        self.check(self.lib.plm_submit_many(self.rt, self.tasks, n, refs))
        return refs

    def wait(self, refs: Any) -> None:
        """Until a batch has ended."""
        n = ctypes.c_size_t(BATCH)
        self.check(self.lib.plm_wait(self.rt, refs, n, n, -1, None))

    def drop(self, refs: Any) -> None:
        """Forgets a batch."""
        self.lib.plm_drop_many(self.rt, refs, ctypes.c_size_t(BATCH))


def flood(name: str) -> None:
    """Submits no-ops until killed, two batches in flight."""
    client = Client(name)
    before = client.submit()
    while True:
        now = client.submit()
        client.wait(before)
        client.drop(before)
        before = now


def seconds_of(pid: int) -> float:
    """Time of the processor that a process took."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> dict[str, float]:
    """Resident memory in MiB, by kind."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return {
        key: int(kib) / 1024 for key, kib in re.findall(r"(Vm(?:RSS|HWM)|Rss\w+):\s+(\d+)", text)
    }


def row(what: str, value: float, unit: str, limit: str = "") -> None:
    """A line of the table."""
    print(f"{what:<58} {value:10.2f} {unit:<6} {limit}", flush=True)


def measure_page(server: Server) -> None:
    """How long a browser waits for the files and for the first frame."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        page = server.ask("/")[2].decode()
        for path in re.findall(r'(?:href|src)="(/[^"]+)"', page):
            server.ask(path)
        with Live(server, stream=True) as live:
            live.next()
        times.append(1000 * (time.perf_counter() - began))
    row("page and first frame, median of 20", sorted(times)[10], "ms", "300 with the drawing")


def measure_paint(server: Server) -> None:
    """From the request to the first painted content, in headless Chromium."""
    try:
        from playwright.sync_api import sync_playwright  # type: ignore[import-not-found]
    except ImportError:
        print("skipped: the first paint: run this with build/web-tools/venv/bin/python")
        return
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
    times = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for _ in range(9):
            page = browser.new_context().new_page()
            page.goto(server.url)
            while not (at := page.evaluate(paint)):
                pass
            times.append(at)
            page.context.close()
        browser.close()
    row("first paint in Chromium, median of 9", sorted(times)[4], "ms", "300")


def measure_killed(server: Server) -> None:
    """From the death of a worker to the frame that shows it."""
    times = []
    with Live(server) as live:
        for _ in range(5):
            pid = {w[0]: w[2] for w in live.next()["workers"]}[0]
            began = time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            while {w[0]: (w[2], w[3]) for w in live.next()["workers"]}.get(0, (0, ""))[0] == pid:
                pass
            times.append(1000 * (time.perf_counter() - began))
    row("a killed worker is shown, longest of 5", max(times), "ms", "1000")


def measure_flood(seconds: float, workers: int) -> None:
    """The cost of an open page at the highest rate that the machine gives."""
    context = multiprocessing.get_context("spawn")
    with runtime("measure", "--workers", str(workers), python=None) as name:
        server = Server(name)
        clients = [context.Process(target=flood, args=(name,), daemon=True) for _ in range(2)]
        for client in clients:
            client.start()
        frames, rates, sizes = 0, [], []
        with Live(server, stream=True) as live:
            for _ in range(4):
                live.next()
            began, used = time.perf_counter(), seconds_of(server.process.pid)
            most = {"VmRSS": 0.0, "RssAnon": 0.0}
            while time.perf_counter() - began < seconds:
                frame = live.next()
                frames += 1
                rates.append(frame["rate"])
                sizes.append(len(json.dumps(frame)))
                now = memory_of(server.process.pid)
                most = {key: max(most[key], now[key]) for key in most}
            took = time.perf_counter() - began
            share = 100 * (seconds_of(server.process.pid) - used) / took
        row("no-ops a second while a page is open, mean", sum(rates) / len(rates), "/s")
        row("plmweb, of a core", share, "%", "5")
        row("resident after a frame, highest", most["VmRSS"], "MiB", "20")
        row("resident within a frame, highest", memory_of(server.process.pid)["VmHWM"], "MiB")
        row("resident without shared memory, highest", most["RssAnon"], "MiB")
        row("frames a second", frames / took, "/s")
        row("a frame without the stream, mean", sum(sizes) / len(sizes) / 1024, "KiB")
        for client in clients:
            client.kill()
            client.join()
        measure_page(server)
        measure_paint(server)
        measure_killed(server)
        server.end()


def measure_table() -> None:
    """A million settled tasks: a page of them, an order of all, an open page."""
    options = ("--workers", "1", "--tasks", "1200000", "--store", "256M")
    with runtime("table", *options, python=None) as name:
        client, server = Client(name), Server(name)
        held = [client.submit() for _ in range(RECORDS // BATCH)]
        for refs in held:
            client.wait(refs)
        began = time.perf_counter()
        server.get("tasks", limit=100)
        row("of a million tasks: the first page", 1000 * (time.perf_counter() - began), "ms")
        began, longest, requests, cursor, end = time.perf_counter(), 0.0, 0, 0, False
        while not end:
            once = time.perf_counter()
            page = server.get("tasks", limit=100, sort="run", cursor=cursor)
            cursor, end, requests = page["cursor"], page["end"], requests + 1
            longest = max(longest, time.perf_counter() - once)
        row("  the first 100 by run time", 1000 * (time.perf_counter() - began), "ms")
        row("  in so many requests", requests, "")
        row("  the longest request", 1000 * longest, "ms")
        with Live(server, stream=True) as live:
            began, used = time.perf_counter(), seconds_of(server.process.pid)
            done: dict[str, Any] = {}
            while done.get("tasks", {}).get("done", 0) < RECORDS:
                done = live.next()
            took = time.perf_counter() - began
            share = 100 * (seconds_of(server.process.pid) - used) / took
        row("  counted by function", took, "s")
        row("  plmweb meanwhile, of a core", share, "%", "5")
        row("  resident", memory_of(server.process.pid)["VmRSS"], "MiB", "20")
        server.end()
        del held


def main() -> None:
    """Prints the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'':<58} {'value':>10} {'unit':<6} limit")
    for workers in (1, 64):
        print(f"{workers} workers")
        measure_flood(seconds, workers)
    measure_table()


if __name__ == "__main__":
    main()
