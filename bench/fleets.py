"""fleets.py - the part `fleets` of the bench: two hosts, and what keeps the queue, on machines made of
network namespaces, plm beside its peers."""

import os
import shutil
import subprocess

PLM = "plm fleet"
ROWS = (
    ("many", "1/s", "tasks a second, in the best way for many"),
    ("each", "1/s", "tasks a second, handed over one by one"),
    ("hot p50", "us", "round trip back to back, p50"),
    ("idle p50", "us", "round trip from idle, p50"),
    ("commands", "us", "a command of many (/bin/true)"),
)


def contestants(options, contestant, python_peer):
    program = [f"{options.build}/bench/peers/plm_fleet", options.plm, "hosts"]
    return [
        contestant(PLM, program),
        python_peer("Celery", "celery_redis.py", "hosts"),
        python_peer("RQ", "rq_redis.py", "hosts"),
        python_peer("Dask", "dask_local.py", "hosts"),
        python_peer("HyperQueue, one process", "hyperqueue_local.py"),
    ]


def where():
    """As peers/machines.py and fleet_spaces.c decide."""
    if os.geteuid() == 0 and all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        if subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0:
            return "machines are network namespaces"
    return "on this machine: there is no leave for network namespaces"


def fleet_round(contestant, options, found):
    def keep(what, values):
        if found is not None and values:
            found.setdefault((contestant.name, what), []).append(values[0])

    seconds, trips, commands = (0.3, 50, 300) if options.quick else (1.0, 200, 2000)
    contestant.start()
    contestant.ask(f"many {seconds / 4}")
    for what in ("many", "each"):
        keep(what, contestant.ask(f"{what} {seconds}"))
    for what in ("hot", "idle"):
        keep(f"{what} p50", contestant.ask(f"{what} {trips}"))
    keep("commands", contestant.ask(f"commands {commands}"))


def part(options, rows, able, in_turn):
    found = {}
    rows.title("fleets", f"fleets: two hosts of two workers, {where()}")
    in_turn(
        able,
        1 if options.quick else 3,
        lambda c, n: fleet_round(c, options, found if n else None),
        rows,
    )
    for what, unit, text in ROWS:
        rows.title("fleets", text)
        for contestant in able:
            samples = found.get((contestant.name, what))
            if samples:
                plm = found.get((PLM, what)) if contestant.name != PLM else None
                rows.add(f"{contestant.name}: {what}", samples, unit, plm)
    return 0 if (PLM, "many") in found else 1
