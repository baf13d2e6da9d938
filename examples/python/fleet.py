"""A pool whose workers are the Python workers of all hosts of a fleet.

    PLM_FLEET=redis://10.0.0.1?queue=lab plm --daemon --python python3     # on each host
    PLM_FLEET=redis://10.0.0.1?queue=lab python3 fleet.py [LIMIT]          # anywhere

Without PLM_FLEET the same program runs in a runtime of its own. The function travels with its
tasks, so the hosts need no copy of this file, but they need cloudpickle.
"""

from __future__ import annotations

import collections
import os
import sys

import plm

STEP = 20_000


def primes(first: int, last: int) -> tuple[str, int]:
    """How many primes lie in a range, and which runtime counted."""
    found = sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(max(2, first), last))
    return os.environ.get("PLM_NAME", "?"), found


def main(limit: int) -> None:
    starts = range(0, limit, STEP)
    by_host: collections.Counter[str] = collections.Counter()
    total = 0
    with plm.Executor() as pool:
        # A host that dies costs an attempt: the range is counted elsewhere.
        counting = pool.options(crash_retries=2)
        for host, found in counting.map(primes, starts, (min(s + STEP, limit) for s in starts)):
            by_host[host] += 1
            total += found
    print(f"{total} primes below {limit}")
    for host, tasks in sorted(by_host.items()):
        print(f"{tasks} ranges by {host}", file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
