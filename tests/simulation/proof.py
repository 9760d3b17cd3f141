"""Play many schedules, on all cores, and name the seeds that broke something: `make proof`.

A seed replays: `.venv/bin/python tests/simulation/proof.py 1 --first SEED`. One that was found belongs into FOUND of
test_lease_schedules.py, for ever.
"""

import argparse
import os
import sys
from multiprocessing import Pool

from lease_world import World


def failures(seed):
    return seed, World(seed).run().failures


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("schedules", type=int, nargs="?", default=100_000)
    arguments.add_argument("--first", type=int, default=0)
    asked = arguments.parse_args()
    seeds = range(asked.first, asked.first + asked.schedules)
    broken = 0
    with Pool(os.cpu_count()) as pool:
        for done, (seed, found) in enumerate(pool.imap(failures, seeds, chunksize=50), start=1):
            for line in found:
                print(f"seed {seed}: {line}", flush=True)
            broken += bool(found)
            if done % 10_000 == 0:
                print(f"{done} schedules, {broken} broken", flush=True)
    print(f"{len(seeds)} schedules from seed {asked.first}: {broken} broken something")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
