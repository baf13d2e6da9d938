#!/usr/bin/env python3
"""faults.py - the n-th use of each system call fails, n = 1, 2, ... until there is none (`make faults`).

    python3 tests/faults.py [--bin .] [--seconds N] [--only SCENARIO] [--call NAME] [-v]

Scenarios: boot (of plm and all it forks), client (plmctl comes in, submits, gets), command (a worker
starts commands), stop. Each call fails with each error that it may, once, and from the n-th use on.
What must come of it: success, or an end with a word on stderr; in time; and afterwards a runtime that
works, or nothing of it: no process, no name in /dev/shm, no file in its directory.

strace makes the calls fail. --seconds ends the run early, after equal shares of each scenario.
"""

import argparse
import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 30
USES_MAX = 200  # of one call in one process
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
    "fchmod": ["EPERM"],
    "flock": ["EINTR"],
    "ftruncate": ["ENOSPC", "EINTR"],
    "futex": ["EINTR", "EAGAIN"],
    "getrandom": ["EINTR"],
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
    "setsid": ["EPERM"],
    "signalfd4": ["EMFILE"],
    "socket": ["EMFILE"],
    "wait4": ["EINTR"],
    "waitid": ["EINTR"],
    "write": ["EINTR", "ENOSPC"],
}


ONCE = ("EINTR", "EIO")  # for ever: a signal after the other, or no file system any more


class Wrong(Exception):
    """What came of a fault is not what must come of it."""


class Fault:
    def __init__(self, call, error, use, for_good):
        self.call, self.error, self.use, self.for_good = call, error, use, for_good

    def __str__(self):
        return f"{self.call} number {self.use}{' and all after it' if self.for_good else ''}: {self.error}"

    def tracer(self, log):
        when = f"{self.use}{'+' if self.for_good else ''}"
        return [
            "strace", "-f", "-qq", "-o", log, "-e", f"trace={self.call}", "-e", "signal=none",
            "-e", f"inject={self.call}:error={self.error}:when={when}",
        ]


def in_a_library(fault, code):
    """The system's program loader crashes where it finds no memory, liburcu ends by abort()."""
    ends = (-signal.SIGSEGV, -signal.SIGABRT)
    return fault and code in ends and fault.call in ("mmap", "mprotect", "brk")


class Place:
    """A runtime's name and directory of its own."""

    count = 0

    def __init__(self, options):
        Place.count += 1
        self.bin = os.path.abspath(options.bin)
        self.name = f"faults-{os.getpid()}-{Place.count}"
        self.directory = tempfile.mkdtemp(prefix="plm-faults-")
        self.log = os.path.join(self.directory, "strace")
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": self.directory, "PLM_NAME": self.name}
        self.plm = None

    def start(self, before=()):
        self.err = open(os.path.join(self.directory, "err"), "w+b")
        self.plm = subprocess.Popen(
            [*before, f"{self.bin}/plm", "--name", self.name, "--workers", "2", "--store", "16M"],
            stdout=subprocess.PIPE, stderr=self.err, stdin=subprocess.DEVNULL,
            env=self.environment, start_new_session=True,
        )
        os.set_blocking(self.plm.stdout.fileno(), False)

    def said(self):
        self.err.seek(0)
        return self.err.read().decode(errors="replace")

    def ready(self, fault=None):
        """True: it is; False: it ended with a word. Anything else is wrong."""
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
                [*before, f"{self.bin}/plmctl", *words], capture_output=True, text=True,
                stdin=subprocess.DEVNULL, env=self.environment, timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            raise Wrong(f"plmctl {' '.join(words)} hangs; the runtime says: {self.said()[-600:]}")

    def expect_work(self, tries=1):
        """One that meets a fault may say so; the next one works."""
        for _ in range(tries):
            done = self.ctl("call", "--crash-retries", "9", "probe.echo", "alive")
            if done.returncode == 0 and done.stdout == "alive":
                return
            if not done.stderr.strip():
                break
        raise Wrong(f"plmctl call: {done.returncode}, {done.stderr.strip()}: {self.said()[-400:]}")

    def expect_end(self):
        try:
            self.plm.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise Wrong(f"plm does not end: {self.said()[-600:]}")

    def stop(self, tries=1):
        for _ in range(tries):
            done = self.ctl("stop")
            if done.returncode == 0 or self.plm.poll() is not None:
                break
        else:
            raise Wrong(f"plmctl stop: {done.returncode}, {done.stderr.strip()}")
        self.expect_end()

    def left(self):
        names = glob.glob(f"/dev/shm/plm-*-{self.name}.*")
        files = [f for f in glob.glob(f"{self.directory}/plm/*")]
        return names + files + self.processes()

    def processes(self):
        """Those of its session that live."""
        found = []
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(stat) as file:
                    text = file.read()
            except OSError:
                continue
            state, _, _, session = text[text.rindex(")") + 2 :].split()[:4]
            if session == str(self.plm.pid) and state not in "ZX":
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
            for path in glob.glob("/proc/[0-9]*/stat"):
                try:
                    with open(path) as file:
                        text = file.read()
                    if text[text.rindex(")") + 2 :].split()[3] == str(self.plm.pid):
                        os.kill(int(text.split()[0]), signal.SIGKILL)
                except (OSError, ValueError):
                    pass
            self.plm.wait()
            self.plm.stdout.close()
            self.err.close()
        for name in glob.glob(f"/dev/shm/plm-*-{self.name}.*"):
            os.unlink(name)
        shutil.rmtree(self.directory, ignore_errors=True)


# ---- scenarios: each returns whether the fault came to pass -----------------------------------------


def boot(place, fault):
    place.start(fault.tracer(place.log))
    if place.ready(fault):
        if fault.for_good: # it may be unable to work; it must be able to say so, and to end
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
    """SIGTERM for the one that strace runs, twice: at once."""
    children = f"/proc/{place.plm.pid}/task/{place.plm.pid}/children"
    try:
        with open(children) as file:
            manager = int(file.read().split()[0])
        os.kill(manager, signal.SIGTERM)
        os.kill(manager, signal.SIGTERM)
    except (OSError, IndexError):
        pass


def client(place, fault):
    place.start()
    if not place.ready():
        raise Wrong("it does not boot without a fault")
    done = place.ctl(
        "call", "--timeout", "10", "probe.echo", "hello", before=fault.tracer(place.log)
    )
    if done.returncode == 0 and done.stdout != "hello":
        raise Wrong(f"plmctl ended well and printed {done.stdout!r}")
    if done.returncode and not done.stderr.strip() and not (
        in_a_library(fault, done.returncode) or fault.call == "write"
    ):
        raise Wrong(f"plmctl ended with {done.returncode} without a word")
    happened = place.injected()
    place.expect_work()
    place.stop()
    place.expect_nothing()
    return happened


def ordered(place):
    done = place.ctl(
        "submit", "--timeout", "10", "--crash-retries", "9", "--shell", "echo out; exit 0"
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
        # of execve each command's process has a first one
        if not fault.for_good and fault.call != "execve" and not any(
            ordered(place) for _ in range(3)
        ):
            raise Wrong(f"after one fault commands fail still: {place.said()[-400:]}")
        place.stop(tries=3) if not fault.for_good else end_by_signal(place)
    place.expect_end()
    place.expect_nothing()
    return place.injected()


SCENARIOS = {"boot": boot, "client": client, "command": command}
COMMAND_CALLS = (
    "vfork", "pipe2", "memfd_create", "pidfd_open", "execve", "setsid", "poll", "ppoll", "wait4", "read",
)


def calls_of(name):
    return COMMAND_CALLS if name == "command" else sorted(ERRORS)


def series(name, options):
    """Each call with each error, until it is not used so often."""
    kinds = [(c, e, g) for c in calls_of(name) for e in ERRORS[c] for g in (False, True)]
    kinds = [k for k in kinds if not k[2] or k[1] not in ONCE]
    if options.call:
        kinds = [k for k in kinds if k[0] == options.call]
    random.Random(options.seed).shuffle(kinds)
    return kinds


def attempt(scenario, fault, options):
    place = Place(options)
    try:
        return SCENARIOS[scenario](place, fault)
    finally:
        place.close()


def run(scenario, options, deadline, totals):
    for call, error, for_good in series(scenario, options):
        for use in range(1, USES_MAX):
            if time.monotonic() > deadline:
                return
            fault = Fault(call, error, use, for_good)
            try:
                happened = attempt(scenario, fault, options)
            except Wrong as wrong:
                totals["failed"] += 1
                print(f"{scenario}: {fault}\n    {wrong}", flush=True)
                happened = True
            if not happened:
                break
            totals["passed"] += 1
            if options.verbose:
                print(f"{scenario}: {fault}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default=os.environ.get("PLM_BIN", "."))
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", choices=SCENARIOS)
    parser.add_argument("--call", choices=sorted(ERRORS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    totals = {"passed": 0, "failed": 0}
    names = [options.only] if options.only else list(SCENARIOS)
    for name in names:
        run(name, options, time.monotonic() + options.seconds / len(names), totals)
    print(f"{totals['passed']} passed, {totals['failed']} failed")
    return 1 if totals["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
