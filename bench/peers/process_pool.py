"""ProcessPoolExecutor of Python's library. `many` is map() with chunks of 1,000 calls: a chunk
travels as one task, which is not the same thing as 1,000 tasks. `each` is a task a call.

    process_pool.py [forkserver]      the start method that Python 3.14 takes by default
"""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from peer import WORKERS, Pool, noop, serve, touch

if __name__ == "__main__":
    method = multiprocessing.get_context(sys.argv[1]) if sys.argv[1:] else None
    with ProcessPoolExecutor(WORKERS, method) as pool:
        serve(
            one=lambda: pool.submit(noop).result(),
            many=lambda n: list(pool.map(noop, range(n), chunksize=1000)),
            each=lambda n: list(pool.map(noop, range(n))),
            touch=lambda data: pool.submit(touch, data).result(),
            batch=10000,
            pool=Pool(
                pool.submit,
                lambda futures: [future.result() for future in futures],
                lambda function, rows, size: pool.map(function, rows, chunksize=size),
            ),
        )
