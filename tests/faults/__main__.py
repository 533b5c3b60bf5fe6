"""The fault harness: a real platform under a mixed load, a seeded schedule of faults, and a checker that reads the API.

`python -m tests.faults` (`make faults`) runs it and ends with 1 when a check fails; docs/reliability.md tells more.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from launcher.supervisor import Stopped, StopSignals
from tests.faults.harness import Plan, run
from tests.faults.report import report


def main() -> int:
    """Run what was asked for and print its table."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--jobs", type=int, default=400, help="jobs of the load")
    parser.add_argument("--kills", type=int, default=40, help="faults")
    parser.add_argument("--seed", type=int, default=None, help="chosen by the clock unless given")
    parser.add_argument("--spacing", type=float, default=2.5, help="mean seconds between faults")
    parser.add_argument("--long", type=float, default=30.0, help="seconds that long sleepers sleep")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the processes' logs")
    asked = parser.parse_args()
    seed = int(time.time()) if asked.seed is None else asked.seed
    print(f"make faults JOBS={asked.jobs} KILLS={asked.kills} SEED={seed}", flush=True)
    StopSignals().install()
    folder = Path(tempfile.mkdtemp(prefix="headrace-faults-"))
    try:
        outcome = run(Plan(asked.jobs, asked.kills, seed, asked.spacing, asked.long), folder, _say)
    except Stopped:
        return 130
    finally:
        if asked.keep:
            print(f"The logs are in {folder}/logs")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{report(outcome)}\n")
    return 0 if outcome.passed else 1


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
