"""Ends what a launcher that was killed could not: found by its record, told by pid and birth, never by name."""

import contextlib
import os
import signal

from launcher.child import MARKER
from launcher.home import Home, Record
from launcher.output import Console
from launcher.processes import Birth, carrying, wait_until_gone

GRACE_SECONDS = 15.0


def stop_leftovers(home: Home, console: Console) -> None:
    """Stops what the last record names and still runs. For the holder of the lock: nobody else starts meanwhile."""
    record = home.read_record()
    if record:
        left = {name: birth for name, birth in record.processes.items() if birth.is_alive()}
        if left:
            console.say(f"Stopping what an earlier start left behind: {', '.join(left)}")
        _end(left, record)
    home.forget()


def _end(left: dict[str, Birth], record: Record) -> None:
    servers = {name: birth for name, birth in left.items() if name in ("postgresql", "redis")}
    children = [birth for name, birth in left.items() if name not in servers]
    _signal(children, signal.SIGTERM)
    _signal(wait_until_gone(children, GRACE_SECONDS), signal.SIGKILL)
    _signal(_offspring(record), signal.SIGKILL)
    # SIGINT: PostgreSQL's fast shutdown; Redis saves and ends on it too.
    _signal(list(servers.values()), signal.SIGINT)
    _signal(wait_until_gone(list(servers.values()), GRACE_SECONDS), signal.SIGKILL)
    wait_until_gone([*children, *servers.values()], 5)


def _offspring(record: Record) -> list[Birth]:
    return [birth for name in record.processes for birth in carrying(f"{MARKER}={record.marker}/{name}")]


def _signal(births: list[Birth], number: signal.Signals) -> None:
    for birth in births:
        with contextlib.suppress(ProcessLookupError):
            os.kill(birth.pid, number)
