"""peer.py - a contestant of `make bench` in Python: the same requests and answers as peer.h."""

import os
import sys
import time

WORKERS = 2
ARRAY_BYTES = 64 << 20
PAUSE_S = 0.1


# ---- tasks ---------------------------------------------------------------------------------------


def noop(*_):
    return None


def touch(data):
    return data[0] + data[-1]


def small(n):
    return n + 1


def ends(array):
    return float(array[0] + array[-1])


def prepared(array):
    """Before the clock runs, each worker has numpy and the array: while one works, another is free."""
    time.sleep(PAUSE_S)
    return ends(array)


def made(nbytes):
    """An array of which only the ends are written: the rest would be the work of the task."""
    import numpy  # no contestant starts slower for the arrays of later requests

    array = numpy.empty(nbytes // 8)
    array[0], array[-1] = 1, 2
    return array


# ---- requests ------------------------------------------------------------------------------------


def rate(work, batch, seconds):
    start = now = time.perf_counter()
    n = 0
    while now - start < seconds:
        work(batch)
        n += batch
        now = time.perf_counter()
    print(f"{n / (now - start):.6g}", flush=True)


def trips(one, n, pause):
    us = []
    for _ in range(n):
        if pause:
            time.sleep(pause)
        start = time.perf_counter_ns()
        one()
        us.append((time.perf_counter_ns() - start) / 1000)
    us.sort()
    print(f"{us[n // 2]:.6g} {us[n * 99 // 100]:.6g}", flush=True)


def touches(work, size):
    data = b"x" * size
    us = []
    work(data)
    for _ in range(5 if size < 1 << 26 else 3):
        start = time.perf_counter_ns()
        work(data)
        us.append((time.perf_counter_ns() - start) / 1000)
    print(f"{sorted(us)[len(us) // 2]:.6g}", flush=True)


class Pool:
    """What the part `python` of the bench asks of an executor.

    submit(function, *arguments) gives a handle, gather(handles) the values, chunks(function, rows,
    size) the values of a map; share(array) is what a task takes in place of the array.
    """

    def __init__(self, submit, gather, chunks=None, share=lambda array: array, made=made):
        self.submit, self.gather, self.chunks_of = submit, gather, chunks
        self.share, self.made = share, made

    def small(self, n):
        """Small functions a second: each submitted alone, then all gathered."""
        start = time.perf_counter()
        values = self.gather([self.submit(small, i) for i in range(n)])
        seconds = time.perf_counter() - start
        assert values[0] == 1 and values[-1] == n
        print(f"{n / seconds:.6g}", flush=True)

    def chunks(self, n):
        """The same by a map with chunks of 1,000."""
        if not self.chunks_of:
            print("none", flush=True)
            return
        start = time.perf_counter()
        values = list(self.chunks_of(small, range(n), 1000))
        seconds = time.perf_counter() - start
        assert values[0] == 1 and values[-1] == n
        print(f"{n / seconds:.6g}", flush=True)

    def argument(self, n):
        """One array for n tasks: us for each, and us for each without the handing over."""
        import numpy

        array = numpy.arange(ARRAY_BYTES // 8, dtype=float)
        first = self.share(array)
        self.gather([self.submit(prepared, first) for _ in range(4 * WORKERS)])
        del first  # the next takes its place, where the memory is warm
        time.sleep(PAUSE_S)
        start = time.perf_counter()
        shared = self.share(array)
        handed = time.perf_counter()
        values = self.gather([self.submit(ends, shared) for _ in range(n)])
        end = time.perf_counter()
        assert set(values) == {ends(array)}
        print(f"{(end - start) * 1e6 / n:.6g} {(end - handed) * 1e6 / n:.6g}", flush=True)

    def result(self, n):
        """An array as the result of a task: us from the call to a look at both ends."""
        us = []
        for _ in range(n + 1):
            start = time.perf_counter()
            value = ends(self.gather([self.submit(self.made, ARRAY_BYTES)])[0])
            us.append((time.perf_counter() - start) * 1e6)
            assert value == 3
        us = sorted(us[1:])
        print(f"{us[len(us) // 2]:.6g}", flush=True)


def serve(
    one, many=None, each=None, touch=None, batch=1000, pool=None, more=(), functions=True
):
    """Runs a first task; then answers a request a line, until the end of the input. functions: a
    task can be a function, so that trips are comparable."""
    more = dict(more)
    for what in ("small", "chunks", "argument", "result") if pool else ():
        more[what] = getattr(pool, what)
    one()
    print("first", flush=True)
    for line in sys.stdin:
        what, amount = line.split()
        if what == "many" and many:
            rate(many, batch, float(amount))
        elif what == "each" and each:
            rate(each, batch, float(amount))
        elif what == "hot" and functions:
            trips(one, int(amount), 0)
        elif what == "idle" and functions:
            trips(one, int(amount), 0.001)
        elif what == "touch" and touch:
            touches(touch, int(amount))
        elif what in more:
            more[what](int(amount))
        else:
            print("none", flush=True)


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
