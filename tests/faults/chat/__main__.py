"""Rooms under kills: `python -m tests.faults.chat` (`make faults-chat`) ends with 1 when a message is lost, doubled or
out of order at any client."""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from launcher.supervisor import Stopped, StopSignals
from tests.faults.chat.harness import Plan, run


def main() -> int:
    """Run what was asked for and tell what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chat", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--rooms", type=int, default=20)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--spacing", type=float, default=5.0, help="mean seconds between kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    StopSignals().install()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        with tempfile.TemporaryDirectory(prefix="headrace-chat-") as folder:
            outcome = run(Plan(**vars(asked)), Path(folder))
    except Stopped:
        return 130
    sys.stdout.write(f"seed {asked.seed}: {outcome.told()}\n")
    return 0 if outcome.passed else 1


if __name__ == "__main__":
    sys.exit(main())
