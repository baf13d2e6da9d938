"""Celery, prefork with two processes; broker and results in a private Redis without persistence.

    celery_redis.py          one machine, a unix socket
    celery_redis.py hosts    two hosts of two processes, and Redis, on machines of their own
"""

import os
import shutil
import subprocess
import sys
import tempfile

from celery import Celery, group
from machines import QUIET, Machines
from peer import WORKERS, serve

folder = os.environ.setdefault("PLM_BENCH_REDIS", "")
place = os.environ.get("PLM_BENCH_PLACE", f"redis+socket://{folder}/redis")
app = Celery("celery_redis", broker=place, backend=place)
app.conf.update(
    worker_prefetch_multiplier=64,
    task_acks_late=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop():
    return None


def worker(name):
    words = [sys.executable, "-m", "celery", "-A", "celery_redis", "worker", "-c", str(WORKERS)]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "critical"]
    return [*words, "-n", f"{name}@bench"]


def answer():
    serve(
        one=lambda: noop.delay().get(timeout=60),
        many=lambda n: group(noop.s() for _ in range(n)).apply_async().get(timeout=120),
        batch=200,
    )


def one_machine():
    redis = ["redis-server", "--port", "0", "--unixsocket", f"{folder}/redis", "--save", ""]
    redis += ["--dir", folder]
    here = os.path.dirname(os.path.abspath(__file__))
    started = [subprocess.Popen(redis, **QUIET), subprocess.Popen(worker("one"), cwd=here, **QUIET)]
    try:
        answer()
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


def hosts():
    place = tempfile.mkdtemp(prefix="plm-bench-")
    machines = Machines()
    os.environ["PLM_BENCH_PLACE"] = url = f"redis://{machines.redis(place)}/0"
    app.conf.update(broker_url=url, result_backend=url)
    here = os.path.dirname(os.path.abspath(__file__))
    for number in (1, 2):
        machines.start(number, worker(f"host{number}"), cwd=here)
    try:
        answer()
    finally:
        machines.end()
        shutil.rmtree(place)


def main():
    if "hosts" in sys.argv:
        hosts()
        return 0
    if folder:
        one_machine()
        return 0
    # The app needs the path at import: start again, now with the path.
    os.environ["PLM_BENCH_REDIS"] = place = tempfile.mkdtemp(prefix="plm-bench-")
    code = subprocess.call([sys.executable, __file__])
    shutil.rmtree(place)
    return code


if __name__ == "__main__":
    sys.exit(main())
