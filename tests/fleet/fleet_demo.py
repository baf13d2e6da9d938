"""fleet_demo.py - a fleet on one machine (`make demo-fleet`): a Redis, three hosts, 10,000 tasks.

One host is killed and another cut off for three leases meanwhile, and the count is right at the
end. Each host and the Redis have network, process and mount namespaces of their own; without
leave for these they are processes with plain ports. Exit code 1: a task was lost, or ended twice.
"""

from __future__ import annotations

import collections
import json
import sys
import time
from pathlib import Path

from fleet_world import World, redis_program, until

FUNCTIONS, COMMANDS, RETRIES = 9000, 1000, 5


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def task_file(ledger: Path) -> str:
    functions = [f"func:1:0:0:probe.sum {i} 1" for i in range(FUNCTIONS)]
    commands = [f"shell:2:0:0:echo {i} >>{ledger}; sleep 0.03" for i in range(COMMANDS)]
    return "\n".join(functions + commands)


def status(world: World) -> dict[str, int]:
    found: dict[str, int] = json.loads(world.ctl("status", "--json"))
    return found


def tell(world: World, ledger: Path, began: float) -> bool:
    end, lines = status(world), ledger.read_text().split()
    counts = collections.Counter(lines)
    again = len(lines) - len(counts)
    print(
        f"{end['done']} tasks done in {time.monotonic() - began:.1f} s, {end['failed']} failed; "
        f"{len(counts)} different commands began, {again} of them again"
    )
    right = (end["done"], end["failed"], len(counts)) == (FUNCTIONS + COMMANDS, 0, COMMANDS)
    if not right or max(counts.values()) > 1 + RETRIES:
        print(f"that is WRONG: {FUNCTIONS} functions and {COMMANDS} commands were loaded")
        return False
    return True


def demo(world: World) -> bool:
    ledger = world.directory / "ledger"
    ledger.touch()
    say("plm --fleet URL, three times: three hosts, one queue")
    hosts = [world.host(workers=4) for _ in range(3)]
    for host in hosts:
        host.up()
    print(world.ctl("hosts"), end="")
    say(f"plmctl load: {FUNCTIONS} functions, and {COMMANDS} commands that write a line each")
    began = time.monotonic()
    world.ctl("load", "--crash-retries", str(RETRIES), "-", stdin=task_file(ledger))
    until(lambda: len(ledger.read_text().split()) > COMMANDS // 5, "a fifth has begun")
    say("kill -9 of everything on the first host; the second is cut off for three leases")
    hosts[0].power_off()
    hosts[1].cut()
    cut_at = time.monotonic()
    for host in hosts[:2]:
        host.until("lost")
    print(world.ctl("hosts"), end="")
    time.sleep(max(0.0, cut_at + 3 * world.lease_s - time.monotonic()))
    say("the cut is healed: the host finds its attempts void, and joins as a new member")
    hosts[1].heal()
    hosts[1].until("up")
    world.ctl("wait", "--quiet", "--todo", "--in-progress")
    return tell(world, ledger, began)


def main() -> int:
    if not redis_program():
        print("demo-fleet needs a Redis of version 7 or later: apt-get install redis-tools")
        return 1
    with World("demo") as world:
        return 0 if demo(world) else 1


if __name__ == "__main__":
    raise SystemExit(main())
