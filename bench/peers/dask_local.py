"""Dask.distributed, without the web page.

    dask_local.py          a LocalCluster of two processes of one thread
    dask_local.py hosts    two hosts of two such processes, and the scheduler, on machines of their own
"""

import logging
import os
import sys

from dask.distributed import Client, LocalCluster
from machines import Machines
from peer import WORKERS, Pool, noop, serve, touch


def answer(client):
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


def one_machine():
    with (
        LocalCluster(
            n_workers=WORKERS,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        answer(client)


def hosts():
    # Scheduler and workers import the functions by name.
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    machines = Machines()
    port = machines.port()
    url = f"tcp://{machines.address(0)}:{port}"
    dask = [sys.executable, "-m", "dask"]
    place = ["--host", machines.address(0), "--port", str(port)]
    machines.start(0, [*dask, "scheduler", *place, "--no-dashboard"])
    machines.await_port(port)
    for number in (1, 2):
        host = ["--host", machines.address(number), "--no-dashboard"]
        size = ["--nworkers", str(WORKERS), "--nthreads", "1"]
        machines.start(number, [*dask, "worker", url, *size, *host])
    try:
        with Client(url) as client:
            client.wait_for_workers(2 * WORKERS)
            answer(client)
    finally:
        machines.end()


if __name__ == "__main__":
    hosts() if "hosts" in sys.argv else one_machine()
