"""Python in half a minute: what `make demo` shows.

A pool whose tasks may crash, run too long, or wait for each other; each line of the output is made
by a task. Run by `make demo`, and by tests/python/test_examples.py.
"""

from __future__ import annotations

import os
import time

import plm


def square(n: int) -> int:
    return n * n


def crash() -> None:
    os.kill(os.getpid(), 11)


def main() -> None:
    print("Python: plm.Executor in place of concurrent.futures.ProcessPoolExecutor")
    began = time.perf_counter()
    with plm.Executor(max_workers=2) as pool:
        first = pool.submit(square, 6)
        took = (time.perf_counter() - began) * 1000
        print(f"  first result {first.result()}: {took:.0f} ms after Executor() was called")

        total = pool.submit(sum, pool.submit(list, pool.submit(range, 10)))
        print(f"  a future as an argument: sum {total.result()}")

        bad = pool.submit(crash)
        good = [pool.submit(square, n) for n in range(5)]
        print(
            f"  a worker crashed: {type(bad.exception()).__name__}; the others go on:",
            end=" ",
        )
        print([f.result() for f in good])

        slow = pool.options(run_limit=0.1).submit(time.sleep, 60)
        print(f"  a task over its time limit: {type(slow.exception()).__name__}")

        began = time.perf_counter()
        count = len(list(pool.map(square, range(100_000), chunksize=1000)))
        print(f"  {count:,} calls in chunks: {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
