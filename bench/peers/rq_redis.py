"""RQ, workers that run tasks in their own process; a private Redis without persistence.

    rq_redis.py          two workers on one machine, a unix socket
    rq_redis.py hosts    two hosts of two workers, and Redis, on machines of their own
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from machines import QUIET, Machines
from peer import WORKERS, noop, serve
from redis import Redis
from rq import Queue

PATIENCE_S = 120
WORK = """
import sys, redis, rq
connection = redis.Redis.from_url(sys.argv[1])
rq.SimpleWorker(["default"], connection=connection).work(logging_level="CRITICAL")
"""


def answer(url):
    queue = Queue(connection=Redis.from_url(url))

    def many(n):
        jobs = queue.enqueue_many([Queue.prepare_data(noop) for _ in range(n)])
        for job in jobs:
            job.latest_result(timeout=PATIENCE_S)

    serve(one=lambda: queue.enqueue(noop).latest_result(timeout=PATIENCE_S), many=many, batch=200)


def one_machine(folder, here):
    path = f"{folder}/redis"
    server = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
    started = [subprocess.Popen(server, **QUIET)]
    deadline = time.monotonic() + PATIENCE_S
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    url = f"unix://{path}"
    started += [
        subprocess.Popen([sys.executable, "-c", WORK, url], cwd=here, **QUIET)
        for _ in range(WORKERS)
    ]
    try:
        answer(url)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def hosts(folder, here):
    machines = Machines()
    url = f"redis://{machines.redis(folder)}/0"
    for number in (1, 2):
        for _ in range(WORKERS):
            machines.start(number, [sys.executable, "-c", WORK, url], cwd=here)
    try:
        answer(url)
    finally:
        machines.end()


if __name__ == "__main__":
    place = tempfile.mkdtemp(prefix="plm-bench-")
    run = hosts if "hosts" in sys.argv else one_machine
    try:
        run(place, os.path.dirname(os.path.abspath(__file__)))
    finally:
        shutil.rmtree(place)
