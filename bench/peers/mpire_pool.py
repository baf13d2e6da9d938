"""mpire: a worker pool with fork. `many`: chunks of 1,000 calls; `each`: a task a call."""

from mpire import WorkerPool
from peer import WORKERS, Pool, noop, serve, touch

if __name__ == "__main__":
    with WorkerPool(WORKERS) as pool:
        serve(
            one=lambda: pool.apply(noop),
            many=lambda n: pool.map(noop, range(n), chunk_size=1000),
            each=lambda n: pool.map(noop, range(n), chunk_size=1),
            touch=lambda data: pool.apply(touch, (data,)),
            batch=5000,
            pool=Pool(
                lambda function, *args: pool.apply_async(function, args),
                lambda results: [result.get() for result in results],
                lambda function, rows, size: pool.map(function, rows, chunk_size=size),
            ),
        )
