"""HyperQueue, a LocalCluster: a server and two workers of two cores in one process. The package of PyPI
has no `hq` program, so workers on machines of their own cannot be had; and a task is a program, so the
contestant answers `commands` alone.

The client of HyperQueue looks once a second for the end of a job. So the last program of a job, which
waits for all others, tells of the end through a pipe.
"""

import os
import shutil
import tempfile
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig
from peer import serve

HOSTS, CORES = 2, 2


def run(client, pipe, n):
    job = Job()
    tasks = [job.program(["/bin/true"], stdout=None, stderr=None) for _ in range(n)]
    job.program(["/bin/sh", "-c", f"echo > {pipe}"], stdout=None, stderr=None, deps=tasks)
    submitted = client.submit(job)
    with open(pipe, encoding="utf-8") as end:
        end.read()
    return submitted


def commands(client, pipe, n):
    start = time.perf_counter()
    run(client, pipe, n)
    print(f"{(time.perf_counter() - start) * 1e6 / n:.6g}", flush=True)


def main(folder):
    os.chdir(folder)
    pipe = f"{folder}/ended"
    os.mkfifo(pipe)
    # The cluster prints what it does.
    out = os.dup(1)
    os.dup2(2, 1)
    with LocalCluster() as cluster:
        for _ in range(HOSTS):
            cluster.start_worker(WorkerConfig(cores=CORES))
        client = cluster.client()
        run(client, pipe, 1)
        os.dup2(out, 1)
        serve(
            one=lambda: None,
            more={"commands": lambda n: commands(client, pipe, n)},
            functions=False,
        )


if __name__ == "__main__":
    place = tempfile.mkdtemp(prefix="plm-bench-")
    try:
        main(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
