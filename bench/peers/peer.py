"""peer.py - a contestant of `make bench` in Python: the same requests and answers as peer.h."""

import os
import sys
import time

WORKERS = 2


def noop(*_):
    return None


def touch(data):
    return data[0] + data[-1]


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


def serve(one, many=None, each=None, touch=None, batch=1000):
    """Runs a first task; then answers a request a line, until the end of the input."""
    one()
    print("first", flush=True)
    for line in sys.stdin:
        what, amount = line.split()
        if what == "many" and many:
            rate(many, batch, float(amount))
        elif what == "each" and each:
            rate(each, batch, float(amount))
        elif what == "hot":
            trips(one, int(amount), 0)
        elif what == "idle":
            trips(one, int(amount), 0.001)
        elif what == "touch" and touch:
            touches(touch, int(amount))
        else:
            print("none", flush=True)


sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
