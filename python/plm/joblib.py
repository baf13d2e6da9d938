"""A backend for joblib, and so for scikit-learn's n_jobs.

    import joblib, plm.joblib

    with plm.joblib.backend():
        joblib.Parallel(n_jobs=4)(joblib.delayed(f)(x) for x in xs)

or joblib.parallel_backend("plm"), once this module is imported. joblib 1.2 and later.

A batch of joblib is a task. A large array among the arguments is put into the store once for all
batches of a Parallel, and tasks see the array read-only. The runtime stays for the next Parallel,
as loky's workers do. A Parallel inside a task submits to the same runtime: the task that waits
runs batches in its own place, so nesting neither blocks nor starts more processes than cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import joblib
from joblib import register_parallel_backend
from joblib._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
)

from . import _core, _session, _threads
from ._executor import Executor
from ._futures import Future

Callback = Callable[[Any], object]

ARRAY_BYTES = 1_000_000  # where joblib does not say otherwise (max_nbytes)
_callbacks_carry_results = hasattr(ParallelBackendBase, "supports_retrieve_callback")


def _cores() -> int:
    """The cpus of this machine, or in a task those of the Python workers of the runtime."""
    if _session.in_worker():
        return sum(cpus for _, cpus, _ in _session.current().core.pythons())
    return len(os.sched_getaffinity(0))


# ---- executors that stay ----


class _Pools:
    """The executors of this process: one for a runtime to join, or a number of workers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pools: dict[tuple[str | None, int], Executor] = {}
        self._users: dict[tuple[str | None, int], int] = {}

    def take(self, name: str | None, workers: int) -> Executor:
        """An executor, which is the caller's until give_back()."""
        key = (name, 0 if name else workers)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None or not pool.usable():
                if pool is not None:
                    self._users.pop(key)
                    self._pools.pop(key).shutdown(wait=False)
                self._end_unused()
                pool = Executor(name=name) if name else Executor(workers)
                self._pools[key] = pool
                self._users[key] = 0
            self._users[key] += 1
            return pool

    def give_back(self, pool: Executor) -> None:
        """The caller needs the executor no longer."""
        with self._lock:
            for key, known in self._pools.items():
                if known is pool:
                    self._users[key] -= 1

    def _end_unused(self) -> None:
        """One runtime at a time, as far as Parallels of other sizes do not run beside it."""
        for key in [k for k, users in self._users.items() if users == 0]:
            del self._users[key]
            self._pools.pop(key).shutdown()

    def forget(self) -> None:
        """In the child of a fork: the executors are the parent's."""
        self._lock = threading.Lock()
        self._pools.clear()
        self._users.clear()


_pools = _Pools()
os.register_at_fork(after_in_child=_pools.forget)


# ---- batches ----


class _Array:
    """Stands in a batch for an array that lies in the store."""

    def __init__(self, index: int) -> None:
        self.index = index


def _run(batch: Any, threads: int, *arrays: Any) -> Any:
    """In a worker: one batch."""

    def fill(value: Any) -> Any:
        return arrays[value.index] if isinstance(value, _Array) else value

    batch.items = [
        (function, tuple(map(fill, args)), {k: fill(v) for k, v in kwargs.items()})
        for function, args, kwargs in batch.items
    ]
    with _threads.limited(threads):
        return batch()


class _Store:
    """The large arrays of one Parallel, each put into the store once."""

    def __init__(self, put: Callable[[Any], _session.Ref], least: int | None) -> None:
        self._once = _session.PutOnce(put)
        self._least = least

    def split(self, batch: Any) -> tuple[Any, list[_core.Ref]]:
        """The batch without its large arrays, and their references."""
        if self._least is None:
            return batch, []
        refs: dict[int, tuple[int, _core.Ref]] = {}

        def place(value: Any) -> Any:
            if type(value).__name__ != "ndarray" or value.nbytes < self._least:
                return value
            if value.dtype.hasobject:
                return value
            if id(value) not in refs:
                refs[id(value)] = (len(refs), self._once.of(value))
            return _Array(refs[id(value)][0])

        rows = [
            (function, tuple(map(place, args)), {k: place(v) for k, v in kwargs.items()})
            for function, args, kwargs in batch.items
        ]
        if not refs:
            return batch, []
        import copy

        light = copy.copy(batch)
        light.items = rows
        return light, [ref for _, ref in refs.values()]


class _Base(AutoBatchingMixin, ParallelBackendBase):  # type: ignore[misc]  # joblib has no types
    """What the backends of a program and of a task have in common."""

    supports_timeout = True
    supports_inner_max_num_threads = True
    # A task of plm costs microseconds, so batches may be short, and the last ones end together.
    MIN_IDEAL_BATCH_DURATION = 0.02
    MAX_IDEAL_BATCH_DURATION = 0.5

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self._store: _Store | None = None

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """The number of batches that joblib keeps at work."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if n_jobs is None:
            return 1
        return max(1, _cores() + 1 + n_jobs) if n_jobs < 0 else n_jobs

    def _check(self, n_jobs: int | None) -> int:
        n_jobs = self.effective_n_jobs(n_jobs)
        if n_jobs == 1:
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        return n_jobs

    def _task(self, batch: Any) -> tuple[Any, ...]:
        """The arguments of _run for a batch."""
        assert self._store is not None
        light, refs = self._store.split(batch)
        return light, self.inner_max_num_threads or 0, *refs

    def get_nested_backend(self) -> tuple[Any, int | None]:
        """The backend of a Parallel inside a batch."""
        return _Nested(nesting_level=(self.nesting_level or 0) + 1), None


class PlmBackend(_Base):
    """The backend of a program."""

    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(self, name: str | None = None, **words: Any) -> None:
        super().__init__(**words)
        self._name = name
        self._pool: Executor | None = None
        self._futures: list[Future[Any]] = []

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        max_nbytes: int | None = ARRAY_BYTES,
        **_: Any,
    ) -> int:
        """Boots or joins the runtime for one Parallel."""
        n_jobs = self._check(n_jobs)
        self.parallel = parallel
        self._pool = _pools.take(self._name, n_jobs)
        self._store = _Store(self._pool.put, max_nbytes)
        return n_jobs

    def terminate(self) -> None:
        """The Parallel has ended."""
        if self._pool is not None:
            _pools.give_back(self._pool)
        self._pool = self._store = None
        self._futures.clear()
        self.reset_batch_stats()

    def submit(self, func: Any, callback: Callback | None = None) -> Future[Any]:
        """Submits a batch."""
        assert self._pool is not None
        future = self._pool.submit(_run, *self._task(func))
        if len(self._futures) > 1000:
            self._futures = [f for f in self._futures if not f.done()]
        self._futures.append(future)
        if callback is not None and (future.ref is not None or _callbacks_carry_results):
            future.add_done_callback(callback)
        return future

    def apply_async(self, func: Any, callback: Callback | None = None) -> Any:
        """The same for joblib 1.2, which calls get() of what is returned."""
        future = self.submit(func, callback)
        future.get = future.result  # type: ignore[attr-defined]
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> Any:
        """The result of a batch that has ended."""
        return out.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancels all batches of the Parallel, also the running ones."""
        for future in self._futures:
            future.cancel()
        self._futures.clear()
        if not ensure_ready:
            self.terminate()


# ---- Parallel inside a task ----


class _Job:
    """A batch that a task has submitted."""

    def __init__(self, backend: _Nested, ref: Any, callback: Callback | None) -> None:
        self.backend = backend
        self.ref = ref
        self.callback = callback

    def get(self, timeout: float | None = None) -> Any:
        """The result of the batch. Meanwhile batches that end let joblib submit further ones."""
        return self.backend.result(self, timeout)


class _Nested(_Base):
    """The backend of a task: no thread, and the thread that waits submits further batches."""

    supports_retrieve_callback = False
    default_n_jobs = 1

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self._open: list[_Job] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _nested, (self.nesting_level,)

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        max_nbytes: int | None = ARRAY_BYTES,
        **_: Any,
    ) -> int:
        """Begins a Parallel."""
        if not _session.in_worker():  # the batch of a Parallel that fell back to no workers
            raise FallbackToBackend(SequentialBackend(nesting_level=self.nesting_level))
        n_jobs = self._check(n_jobs)
        self.parallel = parallel
        self._store = _Store(_session.current().put, max_nbytes)
        return n_jobs

    def terminate(self) -> None:
        """The Parallel has ended."""
        self._store = None
        self._open.clear()
        self.reset_batch_stats()

    def submit(self, func: Any, callback: Callback | None = None) -> _Job:
        """Submits a batch."""
        job = _Job(self, _session.current().submit(_run, self._task(func), {}), callback)
        self._open.append(job)
        return job

    apply_async = submit

    def retrieve_result(self, out: _Job, timeout: float | None = None) -> Any:
        """The result of a batch."""
        return self.result(out, timeout)

    def result(self, job: _Job, timeout: float | None) -> Any:
        """Waits for a batch, and tells joblib of the others that end."""
        core = _session.current().core
        while job in self._open:
            ready = core.wait([j.ref for j in self._open], 1, _session.milliseconds(timeout))
            if not any(ready):
                raise TimeoutError
            ended = [j for j, flag in zip(self._open, ready, strict=True) if flag]
            self._open = [j for j in self._open if j not in ended]
            for other in ended:
                if other.callback is not None:
                    other.callback(other)  # may submit a batch, and so add to the list
        return job.ref.result()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancels all batches of the Parallel."""
        _session.current().cancel_quietly([job.ref for job in self._open])
        self._open.clear()


def _nested(level: int) -> _Nested:
    return _Nested(nesting_level=level)


# ---- the face ----


def register() -> None:
    """Makes the backend known to joblib under the name plm."""
    register_parallel_backend("plm", PlmBackend)


def backend(name: str | None = None, n_jobs: int = -1, **words: Any) -> Any:
    """A context in which joblib uses plm. name: of a runtime to join. Further words are those of
    joblib.parallel_config(), or of parallel_backend() before joblib 1.3."""
    context = getattr(joblib, "parallel_config", joblib.parallel_backend)
    return context("plm", n_jobs=n_jobs, **({"name": name} if name else {}), **words)


register()
