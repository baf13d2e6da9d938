"""loky: the robust process pool of joblib. `many`: chunks of 1,000 calls; `each`: a task a call."""

from loky import get_reusable_executor
from peer import WORKERS, Pool, noop, serve, touch

if __name__ == "__main__":
    pool = get_reusable_executor(max_workers=WORKERS, timeout=None)
    serve(
        one=lambda: pool.submit(noop).result(),
        many=lambda n: list(pool.map(noop, range(n), chunksize=1000)),
        each=lambda n: list(pool.map(noop, range(n))),
        touch=lambda data: pool.submit(touch, data).result(),
        batch=5000,
        pool=Pool(
            pool.submit,
            lambda futures: [future.result() for future in futures],
            lambda function, rows, size: pool.map(function, rows, chunksize=size),
        ),
    )
    pool.shutdown()
