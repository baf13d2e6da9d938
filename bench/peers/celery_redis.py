"""Celery, prefork with two processes; broker and results in a private Redis without persistence."""

import os
import shutil
import subprocess
import sys
import tempfile

from celery import Celery, group
from peer import WORKERS, serve

folder = os.environ.setdefault("PLM_BENCH_REDIS", "")
app = Celery(
    "celery_redis",
    broker=f"redis+socket://{folder}/redis",
    backend=f"redis+socket://{folder}/redis",
)
app.conf.update(
    worker_prefetch_multiplier=64,
    task_acks_late=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop():
    return None


def main():
    quiet = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "stdin": subprocess.DEVNULL,
    }
    redis = [
        "redis-server",
        "--port",
        "0",
        "--unixsocket",
        f"{folder}/redis",
        "--save",
        "",
        "--dir",
        folder,
    ]
    worker = [sys.executable, "-m", "celery", "-A", "celery_redis", "worker", "-c", str(WORKERS)]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "critical"]
    here = os.path.dirname(os.path.abspath(__file__))
    started = [subprocess.Popen(redis, **quiet), subprocess.Popen(worker, cwd=here, **quiet)]
    try:
        serve(
            one=lambda: noop.delay().get(timeout=60),
            many=lambda n: group(noop.s() for _ in range(n)).apply_async().get(timeout=120),
            batch=200,
        )
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


if __name__ == "__main__":
    if not folder:  # the app needs the path at import: start again, now with the path
        folder = os.environ["PLM_BENCH_REDIS"] = tempfile.mkdtemp(prefix="plm-bench-")
        code = subprocess.call([sys.executable, __file__])
        shutil.rmtree(folder)
        sys.exit(code)
    main()
