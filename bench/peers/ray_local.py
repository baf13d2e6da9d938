"""Ray on this machine, two processors, without the web page."""

import os

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray
from peer import WORKERS, Pool, noop, serve, touch

if __name__ == "__main__":
    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level="error")
    remote_noop, remote_touch = ray.remote(noop), ray.remote(touch)
    remote = {}

    def submit(function, *args):
        if function not in remote:
            remote[function] = ray.remote(function)
        return remote[function].remote(*args)

    serve(
        one=lambda: ray.get(remote_noop.remote()),
        many=lambda n: ray.get([remote_noop.remote() for _ in range(n)]),
        touch=lambda data: ray.get(remote_touch.remote(ray.put(data))),
        pool=Pool(submit, ray.get, share=ray.put),
    )
    ray.shutdown()
