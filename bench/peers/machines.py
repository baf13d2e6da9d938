"""machines.py - machines for contestants of the part `fleets`: network namespaces joined by a switch.

This process becomes the desk, in whose namespace the switch is. Without leave for namespaces every
machine is this one. The bench kills the session of a contestant, so no machine is left.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import time

CLONE_NEWNET = 0x40000000
NET = "10.93.0."
PATIENCE_S = 60
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}


def quiet(line):
    """Runs a program; true if all was well."""
    return subprocess.run(line.split(), **QUIET, check=False).returncode == 0


class Machines:
    """Machine 0 keeps the queue, 1 and 2 are hosts."""

    def __init__(self):
        self.spaces, self.started = [], []
        libc = ctypes.CDLL(None)
        tools = shutil.which("ip") and shutil.which("unshare") and shutil.which("nsenter")
        self.real = bool(tools) and os.geteuid() == 0 and libc.unshare(CLONE_NEWNET) == 0
        if not self.real:
            return
        quiet("ip link set lo up")
        quiet("ip link add br0 type bridge")
        quiet(f"ip address add {NET}1/24 dev br0")
        quiet("ip link set br0 up")
        for number in range(3):
            self.plug_in(number)

    def plug_in(self, number):
        """A new machine is a program that sleeps in a namespace of its own."""
        words = ["unshare", "--net", "sh", "-c", "echo up; exec sleep infinity"]
        sleeper = subprocess.Popen(words, stdout=subprocess.PIPE)
        sleeper.stdout.readline()
        self.spaces.append(sleeper)
        quiet(f"ip link add v{number} type veth peer name eth0 netns {sleeper.pid}")
        quiet(f"ip link set v{number} master br0 up")
        inside = " ".join(self.words(number))
        quiet(f"{inside} ip link set lo up")
        quiet(f"{inside} ip address add {self.address(number)}/24 dev eth0")
        quiet(f"{inside} ip link set eth0 up")

    def words(self, number):
        """The words before a program that runs on a machine."""
        return ["nsenter", f"--net=/proc/{self.spaces[number].pid}/ns/net"] if self.real else []

    def address(self, number):
        return f"{NET}{number + 2}" if self.real else "127.0.0.1"

    def start(self, number, words, **options):
        self.started.append(subprocess.Popen([*self.words(number), *words], **QUIET, **options))

    def port(self):
        """A port of machine 0 that is free now."""
        if self.real:
            return 6379
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def await_port(self, port):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection((self.address(0), port), 1).close()
                return
            except OSError:
                time.sleep(0.01)

    def redis(self, folder):
        """Starts a Redis without persistence on machine 0. Returns its address and port."""
        port = self.port()
        words = ["redis-server", "--port", str(port), "--bind", "0.0.0.0", "--save", ""]
        self.start(0, [*words, "--protected-mode", "no", "--dir", folder])
        self.await_port(port)
        return f"{self.address(0)}:{port}"

    def end(self):
        for process in [*reversed(self.started), *self.spaces]:
            process.terminate()
            process.wait()
