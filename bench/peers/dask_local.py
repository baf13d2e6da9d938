"""Dask.distributed, a LocalCluster of two processes of one thread, without the web page."""

import logging

from dask.distributed import Client, LocalCluster
from peer import WORKERS, Pool, noop, serve, touch

if __name__ == "__main__":
    with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        serve(
            one=lambda: client.submit(noop, pure=False).result(),
            many=lambda n: client.gather(client.map(noop, range(n), pure=False)),
            each=lambda n: client.gather([client.submit(noop, pure=False) for _ in range(n)]),
            touch=lambda data: client.submit(
                touch, client.scatter(data, direct=True), pure=False
            ).result(),
            pool=Pool(
                lambda function, *args: client.submit(function, *args, pure=False),
                client.gather,
                share=lambda array: client.scatter(array, direct=True),
            ),
        )
