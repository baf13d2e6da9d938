"""RQ, two workers that run tasks in their own process; a private Redis without persistence."""

import os
import shutil
import subprocess
import sys
import tempfile
import time

from peer import WORKERS, noop, serve
from redis import Redis
from rq import Queue

PATIENCE_S = 120
WORK = "import sys, redis, rq; rq.SimpleWorker(['default'], connection=redis.Redis(unix_socket_path=sys.argv[1])).work(logging_level='CRITICAL')"


def main(folder):
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "stdin": subprocess.DEVNULL,
    }
    path = f"{folder}/redis"
    server = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder]
    started = [subprocess.Popen(server, **quiet)]
    deadline = time.monotonic() + PATIENCE_S
    while not os.path.exists(path) and time.monotonic() < deadline:
        time.sleep(0.01)
    here = os.path.dirname(os.path.abspath(__file__))
    started += [
        subprocess.Popen([sys.executable, "-c", WORK, path], cwd=here, **quiet)
        for _ in range(WORKERS)
    ]
    queue = Queue(connection=Redis(unix_socket_path=path))

    def many(n):
        jobs = queue.enqueue_many([Queue.prepare_data(noop) for _ in range(n)])
        for job in jobs:
            job.latest_result(timeout=PATIENCE_S)

    try:
        serve(
            one=lambda: queue.enqueue(noop).latest_result(timeout=PATIENCE_S), many=many, batch=200
        )
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    place = tempfile.mkdtemp(prefix="plm-bench-")
    try:
        main(place)
    finally:
        shutil.rmtree(place)
