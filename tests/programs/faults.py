#!/usr/bin/env python3
"""faults.py - the n-th use of each system call fails, n = 1, 2, ... to the last use (`make faults`).

    python3 tests/programs/faults.py [--bin .] [--seconds N] [--seed N] [--only SCENARIO] [--call NAME] [-v]

Scenarios:
    boot     plm and all its children boot
    client   plmctl connects, submits, gets
    command  a runtime under faults starts commands
    adopt    the next plm adopts a runtime whose manager was killed
    put      a client lets the store grow
    result   a worker lets the store grow
    pool     the manager forks more workers
    module   the manager has a module loaded
    start    workers, alone under faults, start commands
    stop     all processes end, by plmctl stop or SIGTERM
    guard    the guard starts a killed manager again
    end      no call fails: at the n-th call of the boot SIGTERM tells the manager to end

Each call fails with each of its possible errors: once at the n-th use, and at all uses from the
n-th on. The program must succeed, or end with a message on stderr, in time. Afterwards the runtime
works and holds nothing; or the runtime has left no process, no name in /dev/shm, no file in its
directory.

strace makes the calls fail. The cases come in turn, one of each scenario, and within a scenario one
of each call and error, so a run ended early by --seconds has tried as many cases of each.
"""

import argparse
import collections
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 30
USES_MAX = 200  # uses of one call in one process
ERRORS = {
    "accept4": ["EMFILE", "ECONNABORTED"],
    "bind": ["EADDRINUSE", "EACCES"],
    "brk": ["ENOMEM"],
    "clone": ["EAGAIN", "ENOMEM"],
    "vfork": ["EAGAIN", "ENOMEM"],
    "connect": ["ECONNREFUSED", "EAGAIN"],
    "epoll_create1": ["EMFILE"],
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"],
    "execve": ["ENOMEM", "EACCES"],
    "fallocate": ["ENOSPC", "EINTR"],
    "eventfd2": ["EMFILE", "ENOMEM"],
    "fchmod": ["EPERM"],
    "fcntl": ["EMFILE"],
    "flock": ["EINTR"],
    "ftruncate": ["ENOSPC", "EINTR"],
    "fstat": ["ENOMEM"],
    "futex": ["EINTR", "EAGAIN"],
    "getrandom": ["EINTR"],
    "kill": ["EPERM"],
    "listen": ["EADDRINUSE"],
    "memfd_create": ["EMFILE", "ENOMEM"],
    "mkdir": ["ENOSPC", "EACCES"],
    "mknodat": ["ENOSPC"],
    "mmap": ["ENOMEM"],
    "mprotect": ["ENOMEM"],
    "openat": ["EMFILE", "ENOMEM"],
    "pidfd_open": ["EMFILE", "ENOMEM"],
    "pidfd_send_signal": ["EPERM"],
    "pipe2": ["EMFILE"],
    "poll": ["EINTR"],
    "ppoll": ["EINTR"],
    "prctl": ["EINVAL"],
    "pread64": ["EIO"],
    "read": ["EINTR", "EIO"],
    "recvfrom": ["EINTR", "ECONNRESET"],
    "recvmsg": ["EINTR", "ENOMEM"],
    "sendmsg": ["EPIPE", "ENOBUFS"],
    "sendto": ["EPIPE", "ENOBUFS"],
    "rename": ["ENOSPC", "EIO"],
    "setsid": ["EPERM"],
    "signalfd4": ["EMFILE"],
    "socket": ["EMFILE", "ENOMEM"],
    "unlink": ["EPERM", "EIO"],
    "wait4": ["EINTR"],
    "waitid": ["EINTR"],
    "write": ["EINTR", "ENOSPC"],
}


ONCE = ("EINTR", "EIO", "SIGTERM")  # repeated, these would be endless signals, or no file system


class Wrong(Exception):
    """The runtime reacted to a fault in a forbidden way."""


class Fault:
    def __init__(self, call, error, use, for_good):
        self.call, self.error, self.use, self.for_good = call, error, use, for_good

    def __str__(self):
        return f"{self.call} number {self.use}{' and all after it' if self.for_good else ''}: {self.error}"

    def tracer(self, log, follow=True):
        when = f"{self.use}{'+' if self.for_good else ''}"
        what = "signal" if self.error.startswith("SIG") else "error"
        return [
            "strace", *(["-f"] if follow else []), "-qq", "-o", log, "-e", f"trace={self.call}", "-e", "signal=none",
            "-e", f"inject={self.call}:{what}={self.error}:when={when}",
        ]

    def among(self, pids, log, follow=True):
        """The calls of running processes and of their children."""
        return Tracer([*self.tracer(log, follow), *(word for pid in pids for word in ("-p", str(pid)))], pids)


def tracer_of(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("TracerPid:"))
    except (OSError, StopIteration):
        return 0


def await_that(true, what):
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise Wrong(what)
        time.sleep(0.002)


class Tracer:
    """An strace that traces running processes until stop()."""

    def __init__(self, words, pids):
        self.strace = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        await_that(
            lambda: all(tracer_of(pid) == self.strace.pid for pid in pids) or self.strace.poll() is not None,
            "strace does not get hold of them",
        )
        if self.strace.poll() is not None:
            raise Wrong(f"strace: {self.strace.stderr.read().decode(errors='replace').strip()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.strace.terminate()
        self.strace.wait()
        self.strace.stderr.close()


def in_a_library(fault, code):
    """Without memory the system's program loader crashes, and liburcu calls abort()."""
    ends = (-signal.SIGSEGV, -signal.SIGABRT)
    return fault and code in ends and fault.call in ("mmap", "mprotect", "brk")


class Place:
    """The name and the private directory of a runtime."""

    count = 0

    def __init__(self, options):
        Place.count += 1
        self.bin = os.path.abspath(options.bin)
        self.name = f"faults-{os.getpid()}-{Place.count}"
        self.directory = tempfile.mkdtemp(prefix="plm-faults-")
        self.log = os.path.join(self.directory, "strace")
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": self.directory, "PLM_NAME": self.name}
        self.err = open(os.path.join(self.directory, "err"), "w+b")
        self.plm = None
        self.lockless = False
        self.sessions = set()

    def start(self, before=(), behind=()):
        if self.plm:
            self.plm.stdout.close()
        self.plm = subprocess.Popen(
            [*before, f"{self.bin}/plm", "--name", self.name, "--workers", "2", "--store", "16M", *behind],
            stdout=subprocess.PIPE, stderr=self.err, stdin=subprocess.DEVNULL,
            env=self.environment, start_new_session=True,
        )
        self.sessions.add(str(self.plm.pid))
        os.set_blocking(self.plm.stdout.fileno(), False)

    def up(self, *behind):
        self.start(behind=behind)
        if not self.ready():
            raise Wrong("it does not boot without a fault")

    def said(self):
        self.err.seek(0)
        return self.err.read().decode(errors="replace")

    def ready(self, fault=None):
        """True: ready; False: plm ended with a message. Any other outcome is wrong."""
        deadline, line = time.monotonic() + PATIENCE_S, b""
        while time.monotonic() < deadline:
            line += self.plm.stdout.read() or b""
            if b"plm: ready" in line:
                return True
            if self.plm.poll() is not None:
                if self.plm.returncode == 0:
                    raise Wrong(f"plm ended with 0 and was never ready: {self.said()}")
                if in_a_library(fault, self.plm.returncode):
                    return False
                if not self.said().strip() and not (fault and fault.call == "write"):
                    raise Wrong(f"plm ended with {self.plm.returncode} without a word")
                return False
            time.sleep(0.002)
        raise Wrong(f"plm neither became ready nor ended in {PATIENCE_S} s: {self.said()[-600:]}")

    def ctl(self, *words, before=()):
        try:
            return subprocess.run(
                [*before, f"{self.bin}/plmctl", *words], capture_output=True, encoding="latin-1",
                stdin=subprocess.DEVNULL, env=self.environment, timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"plmctl {' '.join(words)} hangs; the runtime says: {self.said()[-600:]}")

    def expect_work(self, tries=1):
        """A command that meets a fault may report the fault; the next command works."""
        for _ in range(tries):
            done = self.ctl("call", "--crash-retries", "9", "probe.echo", "alive")
            if done.returncode == 0 and done.stdout == "alive":
                return
            if not done.stderr.strip():
                break
        raise Wrong(f"plmctl call: {done.returncode}, {done.stderr.strip()}: {self.said()[-400:]}")

    def at_last(self, *words, tries=3):
        """A command that meets a fault may report the fault; the next command works."""
        for _ in range(tries):
            done = self.ctl(*words)
            if done.returncode == 0:
                break
        return done

    def asked(self, *words):
        """The runtime's JSON Lines."""
        done = self.at_last(*words, "--json")
        if done.returncode:
            raise Wrong(f"plmctl {words[0]}: {done.stderr.strip()}: {self.said()[-400:]}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def workers(self):
        """The processes of the workers, by worker number."""
        lines = self.asked("workers")
        return {line["worker"]: line["pid"] for line in lines if line["state"] == "live" and not line["spare"]}

    def members(self):
        """Manager, scheduler and workers."""
        status = self.asked("status")[0]
        return [status["manager_pid"], status["scheduler_pid"], *self.workers().values()]

    def expect_sound(self):
        """No process holds a future, and every structure is sound and empty."""
        done = subprocess.run(
            [f"{self.bin}/plmdump", "check"], capture_output=True, text=True, env=self.environment
        )
        if done.returncode:
            raise Wrong(f"plmdump check: {done.stdout[-400:]}{done.stderr[-200:]}")
        def used():
            status = self.asked("status")[0]
            return {key: status[key] for key in ("records_used", "store_used") if status[key]}
        deadline = time.monotonic() + 5
        while used() and time.monotonic() < deadline:
            time.sleep(0.01)
        if used():
            raise Wrong(f"still used, by nobody: {used()}")

    def expect_end(self):
        try:
            self.plm.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Wrong(f"plm does not end: {self.said()[-600:]}")

    def stop(self, tries=1):
        """A stop without an answer reports so; the runtime ends all the same."""
        for _ in range(tries):
            done = self.ctl("stop")
            if done.returncode == 0 or self.plm.poll() is not None:
                break
            if not done.stderr.strip():
                raise Wrong(f"plmctl stop: {done.returncode}, without a word")
        self.expect_end()

    def left(self):
        # a lock file that could not be locked may belong to another runtime
        names = [f for f in glob.glob(f"/dev/shm/plm-*-{self.name}.*") if not (self.lockless and f.endswith(".lock"))]
        return names + glob.glob(f"{self.directory}/plm/*") + self.processes()

    def processes(self):
        """The living processes of the session."""
        found = []
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat) as file:
                    text = file.read()
            except OSError:
                continue
            state, _, _, session = text[text.rindex(")") + 2 :].split()[:4]
            if session in self.sessions and state not in "ZX":
                found.append(f"process {text.split(' (')[0]} {text[text.index('(') :][:20]}")
        return found

    def expect_nothing(self):
        deadline = time.monotonic() + 5
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.01)
        if self.left():
            raise Wrong(f"left behind: {', '.join(self.left())}; {self.said()[-400:]}")

    def injected(self):
        try:
            with open(self.log, errors="replace") as file:
                return "INJECTED" in file.read()
        except OSError:
            return False

    def close(self):
        if self.plm:
            while self.processes(): # a manager may have forked a process meanwhile
                for process in self.processes():
                    try:
                        os.kill(int(process.split()[1]), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            self.plm.wait()
            self.plm.stdout.close()
        self.err.close()
        for name in glob.glob(f"/dev/shm/plm-*-{self.name}.*"):
            os.unlink(name)
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- scenarios: each returns whether the fault happened -----------------------------------------


def boot(place, fault):
    place.start(fault.tracer(place.log))
    if place.ready(fault):
        if fault.for_good: # the runtime may be unable to work, but must say so, and end
            place.ctl("call", "--timeout", "3", "probe.echo", "alive")
            place.plm.send_signal(signal.SIGCONT)
            end_by_signal(place)
        else:
            place.expect_work(tries=3)
            place.stop(tries=3)
    place.expect_end()
    place.expect_nothing()
    return place.injected()


def end_by_signal(place):
    """Sends SIGTERM twice to the traced process: stop at once."""
    children = f"/proc/{place.plm.pid}/task/{place.plm.pid}/children"
    try:
        with open(children) as file:
            manager = int(file.read().split()[0])
        os.kill(manager, signal.SIGTERM)
        os.kill(manager, signal.SIGTERM)
    except (OSError, IndexError):
        pass


def client(place, fault):
    place.up()
    done = place.ctl(
        "call", "--timeout", "10", "probe.echo", "hello", before=fault.tracer(place.log)
    )
    if done.returncode == 0 and done.stdout != "hello":
        raise Wrong(f"plmctl ended well and printed {done.stdout!r}")
    expect_word(done, fault)
    happened = place.injected()
    place.expect_work()
    place.stop()
    place.expect_nothing()
    return happened


def expect_word(done, fault):
    """The command succeeded, or printed a reason."""
    if done.returncode and not done.stderr.strip() and not (
        in_a_library(fault, done.returncode) or fault.call == "write"
    ):
        raise Wrong(f"{' '.join(done.args[-4:])}: ended with {done.returncode} without a word")
    return done.returncode == 0


def ordered(place):
    done = place.ctl(
        "submit", "--timeout", "10", "--crash-retries", "9", "--shell", "echo out"
    )
    if done.returncode == 0 and done.stdout != "out\n":
        raise Wrong(f"a command ended well and printed {done.stdout!r}")
    if done.returncode and not done.stderr.strip():
        raise Wrong(f"plmctl submit ended with {done.returncode} without a word")
    return done.returncode == 0


def command(place, fault):
    place.start(fault.tracer(place.log))
    if place.ready(fault):
        for _ in range(6):
            ordered(place)
        # execve fails in each command: its first use is in a new process
        if not fault.for_good and fault.call != "execve" and not any(
            ordered(place) for _ in range(3)
        ):
            raise Wrong(f"after one fault commands fail still: {place.said()[-400:]}")
        place.stop(tries=3) if not fault.for_good else end_by_signal(place)
    place.expect_end()
    place.expect_nothing()
    return place.injected()


def end_and_judge(place, fault):
    """The work is done: the runtime works, holds nothing, and ends."""
    if fault.for_good and place.plm.poll() is None and tracer_of_manager(place):
        end_by_signal(place)
    else:
        place.expect_work(tries=3)
        place.expect_sound()
        place.stop(tries=3)
    place.expect_end()
    place.expect_nothing()
    return place.injected()


def tracer_of_manager(place):
    """For a plm started by strace."""
    return os.path.basename(place.plm.args[0]) == "strace"


def adopt(place, fault):
    place.up()
    before = place.workers()
    kept = place.ctl("call", "--detach", "probe.echo", "kept").stdout.strip()
    place.plm.kill()
    place.plm.wait()
    place.start(fault.tracer(place.log))
    ready = place.ready(fault)
    if not ready:
        place.up()
    if not (ready and fault.for_good) and place.workers() != before:
        raise Wrong(f"workers {before} live, {place.workers()} are there: {place.said()[-600:]}")
    if not (ready and fault.for_good):
        done = place.at_last("get", "--timeout", "10", kept)
        if done.stdout != "kept":
            raise Wrong(f"what was kept is {done.stdout!r}, {done.stderr.strip()}")
        place.at_last("drop", kept)
    for worker, pid in before.items():
        if not os.path.exists(f"/proc/{pid}") and f"pid {pid}" not in place.said():
            raise Wrong(f"worker {worker} is dead, and nobody said why: {place.said()[-600:]}")
    return end_and_judge(place, fault)


LARGE = 12 << 20


def put(place, fault):
    place.up()
    path = os.path.join(place.directory, "large")
    with open(path, "wb") as file:
        file.write(b"large " * (LARGE // 6))
    done = place.ctl("put", path, before=fault.tracer(place.log))
    if expect_word(done, fault):
        again = place.ctl("call", "probe.wordcount", done.stdout.strip())
        if again.returncode or int(again.stdout.split()[0]) != LARGE // 6:
            raise Wrong(f"of {LARGE // 6} words {again.stdout!r} are there; {again.stderr}")
        place.ctl("drop", done.stdout.strip())
    happened = place.injected()
    place.expect_sound()
    again = place.ctl("put", path)
    if again.returncode:
        raise Wrong(f"without a fault there is no room: {again.stderr}")
    place.ctl("drop", again.stdout.strip())
    end_and_judge(place, fault)
    return happened


def result(place, fault):
    place.up()
    call = ("call", "--quiet", "--timeout", "10", "--crash-retries", "9", "probe.fill", str(LARGE))
    with fault.among(place.workers().values(), place.log):
        for _ in range(2):
            done = place.ctl(*call)
            if expect_word(done, fault) and len(done.stdout) != LARGE:
                raise Wrong(f"{len(done.stdout)} bytes came, of {LARGE}")
    done = place.ctl(*call)
    if done.returncode:
        raise Wrong(f"afterwards: {done.stderr.strip()}")
    return end_and_judge(place, fault)


def pool(place, fault):
    place.up()
    with fault.among([place.plm.pid], place.log, follow=False):
        asked = expect_word(place.ctl("workers", "--timeout", "5", "--set", "4"), fault)
        if asked and not fault.for_good:
            place.expect_work(tries=3)
            await_that(lambda: len(place.workers()) == 4, f"4 workers do not come: {place.said()[-400:]}")
    place.ctl("workers", "--set", "4")
    await_that(lambda: len(place.workers()) == 4, f"4 workers do not come: {place.said()[-400:]}")
    return end_and_judge(place, fault)


def module(place, fault):
    place.up()
    load = ("module", "--timeout", "20", "load", os.path.join(place.bin, "build/release/examples/vector.so"))
    with fault.among([place.plm.pid], place.log):
        expect_word(place.ctl(*load), fault)
    done = place.ctl(*load)
    if done.returncode and "already" not in done.stderr:
        raise Wrong(f"afterwards it cannot be loaded: {done.stderr.strip()}")
    if "vector.dot" not in place.ctl("functions").stdout:
        raise Wrong("vector.dot is not among the functions")
    return end_and_judge(place, fault)


def start(place, fault):
    place.up()
    with fault.among(place.workers().values(), place.log):
        for _ in range(3):
            ordered(place)
    if not any(ordered(place) for _ in range(3)):
        raise Wrong(f"after the fault commands fail still: {place.said()[-400:]}")
    return end_and_judge(place, fault)


def stop(place, fault):
    place.up()
    members = place.members()
    with fault.among(members, place.log):
        if fault.use % 2:
            expect_word(place.ctl("stop", "--timeout", "10"), fault)
        place.plm.send_signal(signal.SIGTERM)
        place.expect_end()
        deadline = time.monotonic() + 5
        while place.processes() and time.monotonic() < deadline:
            time.sleep(0.01)
    if fault.call == "unlink" and place.left() and not place.processes():
        if not place.said().strip():
            raise Wrong("a name was left, and nobody said so")
        place.up() # the next plm adopts or removes the left name
        place.stop()
    place.expect_nothing()
    return place.injected()


def guard(place, fault):
    """The guard tries again after any fault in the start of the next manager."""
    place.up("--guard")
    before = place.members()
    manager = place.asked("status")[0]["manager_pid"]

    def is_managed():
        done = place.ctl("status", "--json")
        return done.returncode == 0 and json.loads(done.stdout)["manager_pid"] != manager

    with fault.among([place.plm.pid], place.log):  # strace counts the uses of each process
        os.kill(manager, signal.SIGKILL)
        await_that(lambda: is_managed() or "trying again" in place.said(), "no manager comes, and nobody says why")
    await_that(is_managed, "no manager comes after the fault")
    if not set(before) - {manager} <= set(place.members()):
        raise Wrong(f"members have changed: {place.said()[-600:]}")
    return end_and_judge(place, fault)


def end(place, fault):
    place.start(fault.tracer(place.log, follow=False))
    deadline, line = time.monotonic() + PATIENCE_S, b""
    while b"plm: ready" not in line and place.plm.poll() is None and time.monotonic() < deadline:
        line += place.plm.stdout.read() or b""
        time.sleep(0.002)
    end_by_signal(place)  # if plm still runs
    place.expect_end()
    place.expect_nothing()
    with open(place.log, errors="replace") as file:
        return sum(fault.call in call for call in file) >= fault.use


SCENARIOS = {
    "boot": boot, "client": client, "command": command, "adopt": adopt, "put": put, "result": result,
    "pool": pool, "module": module, "start": start, "stop": stop, "guard": guard, "end": end,
}
STORE_CALLS = (
    "fallocate", "ftruncate", "mmap", "mprotect", "openat", "fstat", "memfd_create", "futex", "read", "write",
)
FORK_CALLS = (
    "clone", "openat", "mmap", "mprotect", "memfd_create", "pidfd_open", "epoll_ctl", "epoll_wait", "eventfd2",
    "fcntl", "pipe2", "prctl", "read", "write", "execve", "recvmsg", "sendmsg", "accept4", "poll", "waitid",
)
CALLS = {
    "command": (
        "vfork", "pipe2", "memfd_create", "pidfd_open", "execve", "setsid", "poll", "ppoll", "wait4", "read",
    ),
    "put": STORE_CALLS,
    "result": STORE_CALLS,
    "pool": FORK_CALLS,
    "module": FORK_CALLS,
    "start": (
        "clone", "vfork", "pipe2", "memfd_create", "pidfd_open", "execve", "setsid", "poll", "ppoll", "wait4",
        "waitid", "read", "write", "openat", "mmap", "mprotect", "ftruncate", "fallocate", "mkdir", "unlink",
        "fcntl", "prctl", "kill",
    ),
    "stop": (
        "write", "unlink", "kill", "waitid", "wait4", "pidfd_send_signal", "futex", "epoll_wait", "openat",
        "read", "epoll_ctl", "sendmsg", "recvmsg", "accept4", "rename", "pread64",
    ),
    "guard": (
        "clone", "prctl", "fcntl", "flock", "openat", "mmap", "mprotect", "fstat", "mknodat", "epoll_create1",
        "epoll_ctl", "signalfd4", "pidfd_open", "socket", "bind", "listen", "unlink", "pipe2", "read", "write",
        "kill", "wait4",
    ),
    "end": (
        "openat", "mkdir", "fcntl", "flock", "mknodat", "epoll_create1", "epoll_ctl", "signalfd4", "ftruncate",
        "fallocate", "mmap", "clone", "pidfd_open", "socket", "bind", "listen", "rename", "unlink", "write",
    ),
}


class Series:
    """Runs a scenario with a fault in each use of each call, with each error in turn."""

    def __init__(self, name, options):
        calls = CALLS.get(name, sorted(ERRORS))
        errors = {c: ["SIGTERM"] for c in calls} if name == "end" else ERRORS
        kinds = [(c, e, g) for c in calls for e in errors[c] for g in (False, True)]
        kinds = [k for k in kinds if not k[2] or k[1] not in ONCE]
        if options.call:
            kinds = [k for k in kinds if k[0] == options.call]
        random.Random(options.seed).shuffle(kinds)
        self.name, self.options = name, options
        self.left = collections.deque((kind, 1) for kind in kinds)
        self.passed = self.failed = 0

    def take_one(self):
        (call, error, for_good), use = self.left.popleft()
        fault = Fault(call, error, use, for_good)
        try:
            if not attempt(self.name, fault, self.options):
                return
            self.passed += 1
            if self.options.verbose:
                print(f"{self.name}: {fault}", flush=True)
        except Wrong as wrong:
            self.failed += 1
            print(f"{self.name}: {fault}\n    {wrong}", flush=True)
        if use < USES_MAX:
            self.left.append(((call, error, for_good), use + 1))


def attempt(scenario, fault, options):
    place = Place(options)
    place.lockless = fault.call == "fcntl"
    try:
        return SCENARIOS[scenario](place, fault)
    finally:
        place.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default=os.environ.get("PLM_BIN", "."))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", choices=SCENARIOS)
    parser.add_argument("--call", choices=sorted(ERRORS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    all_series = [Series(name, options) for name in ([options.only] if options.only else SCENARIOS)]
    deadline = time.monotonic() + options.seconds
    while any(series.left for series in all_series) and time.monotonic() < deadline:
        for series in all_series:
            if series.left and time.monotonic() < deadline:
                series.take_one()
    for series in all_series:
        done = "" if series.left else ", all there are"
        print(f"  {series.name:<8} {series.passed:5} faults as promised, {series.failed} not{done}")
    failed = sum(series.failed for series in all_series)
    print(f"{sum(series.passed for series in all_series)} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
