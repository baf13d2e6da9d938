"""executors.py - the part `python` of the bench: plm from Python beside the executors of Python.

All contestants run in one interpreter, that of build/venv, with two workers. Slow ones are given
fewer tasks; the figure is of one task, or a rate. Times to a first result are of fresh interpreters.
"""

import os
import subprocess

QUEUED = 100000  # small functions, submitted one by one
CHUNKED = 1000000  # small functions by map(chunksize=1000)
ARRAYS = 100  # tasks with an array of 64 MiB as the argument
IMPORTS = 3

ROWS = (
    ("trip p50", "us", "submit to result, one at a time, p50"),
    ("trip p99", "us", "submit to result, one at a time, p99"),
    ("small", "1/s", f"{QUEUED:,} small functions, submitted one by one and gathered"),
    ("chunks", "1/s", "small functions by map(chunksize=1000)"),
    ("argument", "us", f"64 MiB array, argument of {ARRAYS} tasks: each"),
    ("handed over", "us", "the same, the array handed over before: each"),
    ("result", "us", "64 MiB array as a result"),
    ("boot", "ms", "start of the interpreter to the first result"),
    ("import", "ms", "the import alone"),
)

# The numbers in the answer to the request `where` of peers/plm_python.py, in order.
STEPS = (
    "the function as text",
    "pickle of the arguments",
    "extension and libplm: submit",
    "extension and libplm: get",
    "unpickle of the result",
    "extension and libplm: drop",
    "in the worker: unpickle, call, pickle",
    "CPU of the client",
    "CPU of the scheduler",
    "CPU of the workers",
    "time of a task",
    "trip of a C function",
    "trip of a Python function",
)


class Executor:
    """A contestant of this part, with a share of the tasks, and the module that users import."""

    def __init__(self, contestant, module, share=1, arrays=1, boots=1, works=True):
        self.contestant, self.name, self.module = contestant, contestant.name, module
        self.share, self.arrays, self.boots, self.works = share, arrays, boots, works

    def missing(self):
        """Why the contestant cannot run here; empty if nothing is missing."""
        return self.contestant.missing() or self.missing_module()

    def missing_module(self):
        words = [self.contestant.command[0], "-c", f"import {self.module}"]
        done = subprocess.run(
            words, env=self.contestant.environment, capture_output=True, text=True, check=False
        )
        why = done.stderr.strip().splitlines()
        return why[-1] if done.returncode else ""

    def import_ms(self):
        clock = "time.perf_counter()"
        text = f"import time; start = {clock}; import {self.module}; print({clock} - start)"
        words = [self.contestant.command[0], "-c", text]
        out = subprocess.check_output(words, env=self.contestant.environment, text=True)
        return float(out) * 1e3

    def stop(self):
        self.contestant.stop()


def package(options):
    """The environment of the contestant plm. The modules are compiled, as pip compiles them."""
    path = os.path.abspath(f"{options.build}/python")
    return {
        "PYTHONPATH": path,
        "PLM_BIN": os.path.dirname(os.path.abspath(options.plm)),
    }


def compile_package(python, options):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    words = [python, "-m", "compileall", "-q", f"{options.build}/python"]
    subprocess.run(words, env=environment, check=False)


def executors(options, python_peer):
    return [
        Executor(python_peer("plm", "plm_python.py", environment=package(options)), "plm", boots=5),
        Executor(
            python_peer("ProcessPoolExecutor", "process_pool.py"),
            "concurrent.futures.process",
            arrays=10,
            boots=5,
        ),
        Executor(
            python_peer("ProcessPoolExecutor, forkserver", "process_pool.py", "forkserver"),
            "concurrent.futures.process",
            boots=5,
            works=False,  # only the start differs
        ),
        Executor(python_peer("loky", "loky_pool.py"), "loky", arrays=10, boots=3),
        Executor(python_peer("mpire", "mpire_pool.py"), "mpire", share=2, arrays=10, boots=3),
        Executor(python_peer("Dask LocalCluster", "dask_local.py"), "dask.distributed", share=50),
        Executor(python_peer("Ray", "ray_local.py"), "ray", share=20),
    ]


def executor_round(executor, options, number, found):
    """The round with number 0 warms up, with fewer tasks."""
    contestant = executor.contestant
    tenth = 10 if options.quick or not number else 1

    def keep(what, values):
        if number and values:
            found.setdefault((executor.name, what), []).extend(values)

    def ask(what, amount, *names):
        answer = contestant.ask(f"{what} {amount}")
        for name, value in zip(names, answer, strict=False):
            keep(name, [value])

    for _ in range(1 if tenth == 10 else executor.boots - 1):
        keep("boot", [contestant.start()])
        contestant.stop()
    keep("boot", [contestant.start()])
    if executor.works:
        ask_all(executor, tenth, ask)
        keep("import", [executor.import_ms() for _ in range(1 if executor.share > 10 else IMPORTS)])
    contestant.stop()


def ask_all(executor, tenth, ask):
    ask("hot", 2000 // executor.share, "trip p50", "trip p99")
    ask("small", QUEUED // executor.share // tenth, "small")
    ask("chunks", CHUNKED // executor.share // tenth, "chunks")
    ask("argument", ARRAYS // executor.arrays, "argument", "handed over")
    ask("result", ARRAYS // executor.arrays, "result")
    if executor.name == "plm":
        ask("put", 20, "put", "copy")
        ask("worker", 10, "worker")
        ask("where", 20000, *STEPS)


def part(options, rows, python_peer, present, in_turn):
    """0, or 1 when plm did not run, although `make bench-peers` has made the interpreter."""
    rows.title("python", "python: two workers, small functions and arrays of 64 MiB")
    running = present(executors(options, python_peer), rows)
    plm = [executor for executor in running if executor.name == "plm"]
    if not plm:
        return 0  # the row above says why
    compile_package(plm[0].contestant.command[0], options)
    found = {}
    in_turn(
        running,
        2 if options.quick else 3,
        lambda executor, number: executor_round(executor, options, number, found),
        rows,
    )
    for what, unit, text in ROWS:
        rows.title("python", text)
        for executor in running:
            samples = found.get((executor.name, what))
            if samples:
                beside = found.get(("plm", what)) if executor.name != "plm" else None
                rows.add(f"{executor.name}: {what}", samples, unit, beside)
    if ("plm", "put") in found:
        rows.title("python", "plm alone")
        rows.add("memcpy of 64 MiB, warm", found["plm", "copy"], "GB/s")
        rows.add("put of 64 MiB", found["plm", "put"], "GB/s")
        rows.add("another worker", found["plm", "worker"], "ms")
        rows.title("python", "where the time of a task goes")
        for step in STEPS:
            rows.add(f"step: {step}", found["plm", step], "us")
    return 0 if ("plm", "import") in found else 1
