"""One Python task in a worker: `handle` is called for every task of a Python function.

The worker loop is C (python/core/): claims the task, calls `handle`, commits the outcome. An
exception of the task becomes the failure of the task. A request to stop the task (cancel, a time
limit) interrupts system calls and raises TaskStopped in the main thread.

Where: a worker process, forked from a zygote. Death: as of any worker.
"""

from __future__ import annotations

import errno
import os
import sys

from . import _arrays, _core, _errors, _functions, _session, _values
from . import _place as _place_module

TYPE_CHECKING = False  # as in _values.py
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, NoReturn
else:
    import _signal  # the module signal imports enum, which takes time

_callables: dict[bytes, Callable[..., Any]] = {}
_initialized: dict[int, BaseException | None] = {}


class TaskStopped(BaseException):
    """Raised in a task asked to stop: by a cancellation, or because a time limit is over."""


_place: _place_module.Place | None = None
_running: list[_core.Call] = []
_stoppable: _core.Call | None = None  # the task whose code runs just now
_forked = False


# ---- requests to stop ----


def _unwinds() -> bool:
    """Tells whether the interrupted code handles TaskStopped: finalizers run once, and whole."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, TaskStopped):
            return True
        error = error.__context__
    return False


def _imports(frame: FrameType | None) -> bool:
    """Tells whether the task imports a module: half a module would spoil the worker for good."""
    while frame is not None and frame.f_code is not handle.__code__:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _on_interrupt(_number: int, frame: FrameType | None) -> None:
    # The scheduler repeats the interrupt, so an interrupt at a bad time may be ignored.
    if _stoppable is None or (frame is not None and frame.f_code is handle.__code__):
        return
    if _stoppable.cancelled() and not _unwinds() and not _imports(frame):
        raise TaskStopped


def _became_child() -> None:
    """A task has forked: the child runs the task to its end, and is no worker."""
    global _forked, _stoppable
    _forked = True
    _stoppable = None
    for number in (_core.INTERRUPT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_DFL)


def _end_child(error: BaseException | None) -> NoReturn:
    if error is not None and not isinstance(error, SystemExit):
        import traceback

        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    code = error.code if isinstance(error, SystemExit) else int(error is not None)
    os._exit(code if isinstance(code, int) else int(code is not None))


def begin(client: _core.Client) -> None:
    """The first thing in a new worker process."""
    global _place
    _session.set_current(_session.Session(client))
    _signal.signal(_core.INTERRUPT, _on_interrupt)
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    os.register_at_fork(after_in_child=_became_child)
    os.environ.pop("PLM_THREADS", None)  # a note to this process (topology/threads.h)
    _place = _place_module.Place()


# ---- the function ----


def _initialize(number: int, pickled: bytes) -> None:
    if number not in _initialized:
        try:
            initializer, arguments = _values.load(pickled)
            initializer(*arguments)
            _initialized[number] = None
            if _place is not None:
                _place.keep()
        except BaseException as error:
            _initialized[number] = error
    failed = _initialized[number]
    if failed is not None:
        from ._broken import InitializerFailed

        raise InitializerFailed from failed


def _function(text: Any) -> Callable[..., Any]:
    # The hash in front names a function by value, however long.
    by_value = text[:1] == _functions.BY_VALUE
    key = bytes(text[: 1 + _functions.DIGEST_BYTES]) if by_value else bytes(text)
    known = _callables.get(key)
    if known is not None:
        return known
    number, pickled, inner = _functions.split_initializer(_functions.after_main(bytes(text)))
    if number:
        _initialize(number, pickled)
    function = _functions.decode(inner)
    if len(_callables) >= _functions.REMEMBERED:
        _callables.clear()
    _callables[key] = function
    return function


def _filled(value: Any, call: _core.Call) -> Any:
    if not isinstance(value, _session.Slot):
        if type(value) is _session.Chunk:
            return [tuple(_filled(a, call) for a in row) for row in value]
        return value
    view = call.arg(value.index)
    return memoryview(view) if value.raw else _values.load(view)


def _arguments(call: _core.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    given = _values.load(call.arg(1))
    args, kwargs = given, {}
    if len(given) == 2 and type(given[0]) is tuple and type(given[1]) is _session.Keywords:
        args, kwargs = given
    if call.nargs > 2:
        args = tuple(_filled(a, call) for a in args)
        kwargs = {k: _filled(v, call) for k, v in kwargs.items()}
    return args, kwargs


def _reply(call: _core.Call, result: Any, which: int) -> None:
    if type(result) in _session.SCALARS and not _arrays.waiting():
        call.reply(_values.dumps(result, _values.PROTOCOL), which)
        return
    if _arrays.reply(call, result, which):
        return
    with _session.Collecting(kept=True):
        data = _values.dump(result)
    if isinstance(data, bytes):
        call.reply(data, which)
    else:
        data.write(call.result(data.size, which).write)


def _reply_all(call: _core.Call, result: Any) -> None:
    if call.results == 1:
        _reply(call, result, 0)
        return
    parts = tuple(result)
    if len(parts) != call.results:
        raise ValueError(f"the function returned {len(parts)} values, and has {call.results}")
    for which, part in enumerate(parts):
        _reply(call, part, which)


def _fail(call: _core.Call, error: BaseException) -> None:
    words, detail = _errors.describe(error)
    code = error.errno if isinstance(error, OSError) and error.errno else errno.EIO
    call.fail(code, words, detail)


def _run(call: _core.Call) -> None:
    if call.function == "py.call":
        text = call.arg(0)
        function = _function(text if type(text) is bytes else memoryview(text))
        args, kwargs = _arguments(call)
        call.named(function)
        _reply_all(call, function(*args, **kwargs))
        return
    from ._modules import run_named

    run_named(call)


_environment = -1  # as of the last task


def _refresh(call: _core.Call) -> None:
    """The last task had other needs: shows the needs of the new task."""
    global _environment
    from ._threads import refresh

    refresh()
    _environment = call.environment


def handle(call: _core.Call) -> None:
    """Runs one task. No exception leaves this function."""
    global _stoppable
    outer = _stoppable
    if _running and _place is not None:
        _place.enter()
    _running.append(call)
    failed = None
    try:
        _stoppable = call
        if call.environment != _environment:
            _refresh(call)
        _run(call)
    except BaseException as error:  # also SystemExit: the worker lives on
        failed = error
        if not _forked:
            _try_fail(call, error)
    finally:
        _stoppable = None
        if _forked:
            _end_child(failed)
        failed = None
        _running.pop()
        _tidy(call)
        _stoppable = outer


def _try_fail(call: _core.Call, error: BaseException) -> None:
    try:
        _fail(call, error)
    except TaskStopped:
        call.fail(errno.ECANCELED, "the task was asked to stop")
    except Exception as trouble:  # memory may be short, the stack deep
        call.fail(errno.EIO, f"{type(error).__name__}, and then {type(trouble).__name__}")


def _tidy(call: _core.Call) -> None:
    if _arrays.waiting():
        _arrays.forget(call)
    if _place is None:
        return
    try:
        if _running:
            _place.leave()
        else:
            _place.restore()
    except Exception as error:
        call.fail(errno.EIO, f"the task left the worker unusable: {error}")
