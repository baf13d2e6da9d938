"""Keeps a page open before a flooded runtime and watches whether plmweb grows.

    PLM_BIN=. python3 tests/web/web_soak.py MINUTES [--gentle]

Two clients flood a runtime with no-ops, a reader takes each frame of /api/live with the task
stream, as a page does. With --gentle the flood and its workers take only the time of processors
that nobody else wants (SCHED_IDLE). Prints a row a minute. The judgement compares the medians of
resident memory of the first and the last quarter, without the first minute: exit code 1 if plmweb
grew by more than 1 MiB, passed 20 MiB or ended.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Iterator

from measure import flood, memory_of, seconds_of
from web_support import Live, Server, runtime

GROWTH = 1.0
LIMIT = 20.0


def take_minute(live: Live, server: Server) -> tuple[float, float, float]:
    """Frames for a minute: median of tasks a second, per cent of a core, most resident MiB."""
    pid = server.process.pid
    began, used = time.perf_counter(), seconds_of(pid)
    rates, resident = [], 0.0
    while time.perf_counter() - began < 60:
        rates.append(live.next().get("rate", 0.0))
        resident = max(resident, memory_of(pid)["VmRSS"])
    share = 100 * (seconds_of(pid) - used) / (time.perf_counter() - began)
    return statistics.median(rates), share, resident


def take_minutes(server: Server, minutes: int) -> Iterator[float]:
    """Resident memory of each minute, printed with the rate and the cost."""
    print("minute     tasks/s  of a core  resident", flush=True)
    with Live(server, stream=True) as live:
        for minute in range(1, minutes + 1):
            rate, share, resident = take_minute(live, server)
            print(f"{minute:6} {rate:11.0f} {share:9.2f}% {resident:6.2f} MiB", flush=True)
            yield resident


def judge(resident: list[float]) -> int:
    """The exit code, and the sentence that goes with it."""
    settled = resident[1:] or resident
    quarter = max(1, len(settled) // 4)
    first, last = (statistics.median(part) for part in (settled[:quarter], settled[-quarter:]))
    grew = last - first
    print(f"first quarter {first:.2f} MiB, last {last:.2f} MiB, highest {max(resident):.2f} MiB")
    return int(grew > GROWTH or max(resident) > LIMIT)


def main() -> int:
    """The soak."""
    minutes, gentle = int(sys.argv[1]), "--gentle" in sys.argv
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    if gentle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    context = multiprocessing.get_context("spawn")
    with runtime("soak", "--workers", "2", python=None) as name:
        clients = [context.Process(target=flood, args=(name,), daemon=True) for _ in range(2)]
        for client in clients:
            client.start()
        if gentle:
            os.sched_setscheduler(0, *usual)
        server = Server(name)
        code = judge(list(take_minutes(server, minutes)))
        server.end()
        for client in clients:
            client.kill()
            client.join()
    return code


if __name__ == "__main__":
    sys.exit(main())
