"""A backend for joblib, and so for scikit-learn's n_jobs.

    import joblib, plm.joblib

    with plm.joblib.backend():
        joblib.Parallel(n_jobs=4)(joblib.delayed(f)(x) for x in xs)

or joblib.parallel_backend("plm"), once this module is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from joblib import parallel_config, register_parallel_backend
from joblib._parallel_backends import AutoBatchingMixin, ParallelBackendBase

from ._executor import Executor


class PlmBackend(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]
    """Runs batches of joblib as tasks."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    default_n_jobs = -1

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._name = name
        self._executor: Executor | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """The number of tasks at once."""
        import os

        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        cores = len(os.sched_getaffinity(0))
        if n_jobs is None:
            return 1
        return max(1, cores + 1 + n_jobs) if n_jobs < 0 else n_jobs

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_: Any) -> int:
        """Boots or joins the runtime of one Parallel."""
        n_jobs = self.effective_n_jobs(n_jobs)
        self.parallel = parallel
        self._executor = Executor(name=self._name) if self._name else Executor(n_jobs)
        return n_jobs

    def terminate(self) -> None:
        """Ends the executor."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        """Submits a batch."""
        assert self._executor is not None
        future = self._executor.submit(func)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    apply_async = submit

    def retrieve_result_callback(self, out: Any) -> Any:
        """The result of a batch, in the thread of the callback."""
        return out.result()

    def retrieve_result(self, out: Any, timeout: float | None = None) -> Any:
        """The result of a batch."""
        return out.result(timeout)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancels all batches, also the running ones."""
        if self._executor is not None:
            for future in self._executor._session.open_futures():
                future.cancel()
        self.terminate()
        if ensure_ready:
            self.configure(n_jobs=self.parallel.n_jobs, parallel=self.parallel)


def register() -> None:
    """Makes the backend known to joblib under the name plm."""
    register_parallel_backend("plm", PlmBackend)


def backend(name: str | None = None, n_jobs: int = -1) -> Any:
    """A context in which joblib uses plm. name: of a runtime to join."""
    register()
    return parallel_config("plm", n_jobs=n_jobs, **({"name": name} if name else {}))


register()
