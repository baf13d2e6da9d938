"""ProcessPoolExecutor of Python's library. `many` is map() with chunks of 1,000 calls: a chunk
travels as one task, which is not the same thing as 1,000 tasks. `each` is a task a call."""

from concurrent.futures import ProcessPoolExecutor

from peer import WORKERS, Pool, noop, serve, touch

if __name__ == "__main__":
    with ProcessPoolExecutor(WORKERS) as pool:
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
