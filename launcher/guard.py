"""A process that outlives a killed launcher just long enough to stop what the launcher can no longer stop.

The kernel asks the launcher's children to end (`dies_with_parent`); the guard sees to those that do not.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from launcher.home import AlreadyRunning, Home
from launcher.leftovers import stop_leftovers
from launcher.output import Console

LOCK_SECONDS = 5.0


@contextlib.contextmanager
def guarded(home: Home) -> Iterator[None]:
    """While the block runs, a guard waits for this process to vanish; it ends with the block."""
    guard = subprocess.Popen(
        [sys.executable, "-m", "launcher.guard", str(home.folder)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guard.communicate()


def keep_guard(home: Home) -> None:
    """Waits until the launcher is gone, then stops what its record names, unless the next launcher is doing so."""
    sys.stdin.buffer.read()
    deadline = time.monotonic() + LOCK_SECONDS
    while time.monotonic() < deadline and home.read_record():
        with contextlib.suppress(AlreadyRunning), home.lock():
            stop_leftovers(home, Console(quiet=True))
        time.sleep(0.1)


if __name__ == "__main__":
    keep_guard(Home(Path(sys.argv[1])))
