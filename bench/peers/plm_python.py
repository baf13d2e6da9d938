"""plm from Python: plm.Executor with two workers. `many`: chunks of 1,000 calls; `each`: a task a
call. Beyond the requests of peer.py: `put`, `worker` and `where`, which no other contestant has.

    put N       N times: GB/s of put() of an array, and of a copy of the array into warm memory
    worker N    N times: ms from the request for one worker more to the first result of that worker
    where N     us a task in each step of N small tasks, see STEPS
"""

import os
import time

import plm
from peer import ARRAY_BYTES, WORKERS, Pool, noop, serve, small, touch

LONG_S = 600


def median(values):
    """Of a list. The module statistics would make the start of this program longer."""
    return sorted(values)[len(values) // 2]


def made_in_store(nbytes):
    array = plm.empty(nbytes // 8)
    array[0], array[-1] = 1, 2
    return array


def results(futures):
    return [future.result() for future in futures]


def put(pool, n):
    import numpy

    source = numpy.arange(ARRAY_BYTES // 8, dtype=float)
    places = [numpy.zeros_like(source), numpy.zeros_like(source)]
    put_s, copy_s = [], []
    for i in range(n + 2):  # the first two warm the memory of both ways
        start = time.perf_counter()
        numpy.copyto(places[i % 2], source)
        copied = time.perf_counter()
        ref = pool.put(source)
        end = time.perf_counter()
        del ref
        copy_s.append(copied - start)
        put_s.append(end - copied)
    values = [ARRAY_BYTES / 1e9 / median(s[2:]) for s in (put_s, copy_s)]
    print(*(f"{value:.6g}" for value in values), flush=True)


def worker(pool, n):
    """All workers are busy, so the task needs the new one. Includes a run of plmctl."""
    import subprocess

    ctl = [f"{os.environ['PLM_BIN']}/plmctl", "--name", pool._session.name, "workers", "--set"]
    busy = [pool.submit(time.sleep, LONG_S) for _ in range(WORKERS)]
    ms = []
    for count in range(WORKERS + 1, WORKERS + 1 + n):
        while not all(future.running() for future in busy):
            time.sleep(0.01)
        start = time.perf_counter()
        first = pool.submit(os.getpid)
        with subprocess.Popen([*ctl, str(count)], stdout=subprocess.DEVNULL):
            first.result()
            ms.append((time.perf_counter() - start) * 1e3)
        busy.append(pool.submit(time.sleep, LONG_S))
    for future in busy:
        future.cancel()
    while pool._session.core.status()["workers_busy"]:  # the tasks are asked to stop, then made to
        time.sleep(0.01)
    subprocess.run([*ctl, str(WORKERS)], stdout=subprocess.DEVNULL, check=True)
    print(f"{median(ms):.6g}", flush=True)


# ---- where the time of a task goes ---------------------------------------------------------------


def cpu_s(pids):
    """Processor time of processes; of our own the exact one."""
    total = 0.0
    for pid in pids:
        with open(f"/proc/{pid}/schedstat") as file:
            total += int(file.read().split()[0]) / 1e9
    return total


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def lap(n, step):
    """us of processor time of this thread for each of n calls of step(i), and the results."""
    start = time.thread_time_ns()
    made = [step(i) for i in range(n)]
    return (time.thread_time_ns() - start) / 1e3 / n, made


def trip_us(one, n):
    us = []
    for _ in range(n):
        start = time.perf_counter_ns()
        one()
        us.append((time.perf_counter_ns() - start) / 1e3)
    return median(us)


def where(pool, n):
    """STEPS: the client's steps one after the other, each for n tasks; then n tasks as a program
    runs them, and the processor time of all processes; then single trips."""
    from plm import _values

    session = pool._session
    core, status = session.core, session.core.status()
    names, texts = lap(n, lambda i: session.texts.of(small))
    pickles, rows = lap(n, lambda i: session.row(texts[i], (i,), {}))
    submits, refs = lap(n, lambda i: session.submit_row(rows[i]))
    futures, made = lap(n, lambda i: pool._future(refs[i]))
    core.wait_all(-1)
    gets, views = lap(n, lambda i: core.get(refs[i]))
    unpickles, values = lap(n, lambda i: _values.load(views[i]))
    assert values[-1] == n
    del futures, made
    views.clear()
    start = time.thread_time_ns()
    refs.clear()
    drops = (time.thread_time_ns() - start) / 1e3 / n
    given = rows[0][1]
    works, _ = lap(n, lambda i: _values.dumps(small(*_values.load(given)), _values.PROTOCOL))

    manager, scheduler = status["manager_pid"], status["scheduler_pid"]
    workers = [pid for pid in children(manager) if pid != scheduler]
    groups = ([os.getpid()], [scheduler], workers)
    before = [cpu_s(group) for group in groups]
    wall = time.perf_counter()
    results([pool.submit(small, i) for i in range(n)])
    wall = (time.perf_counter() - wall) * 1e6 / n
    used = [(cpu_s(g) - b) * 1e6 / n for g, b in zip(groups, before, strict=True)]

    empty = trip_us(lambda: core.get(core.submit("probe.noop", ())), 2000)
    python = trip_us(lambda: pool.submit(small, 1).result(), 2000)
    steps = (names, pickles, submits, gets, unpickles, drops, works, *used, wall, empty, python)
    print(*(f"{us:.6g}" for us in steps), flush=True)


if __name__ == "__main__":
    with plm.Executor(WORKERS) as executor:
        serve(
            one=lambda: executor.submit(noop).result(),
            many=lambda n: list(executor.map(noop, range(n), chunksize=1000)),
            each=lambda n: list(executor.map(noop, range(n))),
            touch=lambda data: executor.submit(touch, executor.put(data)).result(),
            batch=10000,
            pool=Pool(
                executor.submit,
                results,
                lambda function, rows, size: executor.map(function, rows, chunksize=size),
                executor.put,
                made_in_store,
            ),
            more={
                "put": lambda n: put(executor, n),
                "worker": lambda n: worker(executor, n),
                "where": lambda n: where(executor, n),
            },
        )
