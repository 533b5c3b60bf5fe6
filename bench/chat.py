"""Chat rooms: how late a message is heard, how many are stored and fanned out, and what a socket costs; beside Redis
pub/sub with nothing but a fan-out, and rooms of python-socketio.

Run by itself with other numbers of sockets: `python -m bench.chat 100`. The clients share the machine with what is
measured, so delays are upper bounds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from bench.chat_sides import Side, open_fanout, open_ours, open_socketio
from bench.crowd import Crowd, stamp
from bench.findings import Finding, Goal, percentile
from bench.ground import Ground
from bench.meters import resident_bytes
from bench.streams import allow_files

COUNTS = (1000, 5000)
ROOM = 50
PACED = 200
PACE_SECONDS = 0.05
HURRIED = 1000
SENDERS = 4
SETTLE_SECONDS = 1.0
P99_MILLISECONDS = 150.0

Open = Callable[[Ground, str, int], Iterator[Side]]
SIDES: dict[str, Open] = {"ours": open_ours, "Redis pub/sub": open_fanout, "python-socketio": open_socketio}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a side: delays in seconds at a pace, memory of a socket, and two rates a second in a hurry."""

    delays: list[float]
    kilobytes: float
    stored: float
    fanned: float

    def delay(self, share: float) -> float:
        """Return the milliseconds within which that share was heard."""
        return 1e3 * percentile(self.delays, share)


def measure(ground: Ground, counts: tuple[int, ...] = COUNTS) -> list[Finding]:
    """Measure each number of sockets on each side."""
    allow_files()
    findings = []
    for count in counts:
        seen = {name: _look(ground, way, count) for name, way in SIDES.items()}
        ours = seen.pop("ours")
        for name, bare in seen.items():
            findings += _compare(count, ours, name, bare)
    return findings


def _look(ground: Ground, way: Open, count: int) -> Seen:
    rooms = max(1, count // ROOM)
    with (
        contextmanager(way)(ground, f"{way.__name__}_{count}", rooms) as side,
        Crowd(side.port, side.path, side.hello, side.settled) as crowd,
    ):
        time.sleep(SETTLE_SECONDS)
        before = resident_bytes([side.pid])
        crowd.come(rooms * ROOM)
        time.sleep(SETTLE_SECONDS)
        kilobytes = (resident_bytes([side.pid]) - before) / 1024 / (rooms * ROOM)
        delays = _pace(side, crowd, rooms)
        stored, fanned = _hurry(side, crowd, rooms)
    return Seen(delays, kilobytes, stored, fanned)


def _pace(side: Side, crowd: Crowd, rooms: int) -> list[float]:
    """Send at a pace that everybody keeps; return how late each message was at each who heard it."""
    say = side.speaker()

    def speak() -> None:
        began = time.monotonic()
        for number in range(PACED):
            time.sleep(max(0.0, began + number * PACE_SECONDS - time.monotonic()))
            say(number % rooms, stamp())

    speaker = threading.Thread(target=speak)
    speaker.start()
    delays = crowd.hear(PACED * ROOM)
    speaker.join()
    return delays


def _hurry(side: Side, crowd: Crowd, rooms: int) -> tuple[float, float]:
    """Send as fast as it goes; return the messages taken, and those heard, a second."""

    def speak(first: int) -> None:
        say = side.speaker()
        for number in range(first, HURRIED, SENDERS):
            say(number % rooms, stamp())

    def take() -> float:
        for one in spoken:
            one.result()
        return time.monotonic() - began

    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS + 1) as threads:
        spoken = [threads.submit(speak, first) for first in range(SENDERS)]
        taken = threads.submit(take)
        crowd.hear(HURRIED * ROOM)
        heard = time.monotonic() - began
        return HURRIED / taken.result(), HURRIED * ROOM / heard


def _compare(count: int, ours: Seen, name: str, bare: Seen) -> list[Finding]:
    p99 = Goal(P99_MILLISECONDS, "figure")
    return [
        Finding(
            f"{count:,} sockets in rooms of {ROOM}: heard after, p50", ours.delay(0.5), "ms", name, bare.delay(0.5)
        ),
        Finding("the same, p99", ours.delay(0.99), "ms", name, bare.delay(0.99), p99),
        Finding("memory a socket", ours.kilobytes, "kB", name, bare.kilobytes),
        Finding("messages stored", ours.stored, "/s", name, bare.stored),
        Finding("messages fanned out", ours.fanned, "/s", name, bare.fanned),
    ]


if __name__ == "__main__":
    with Ground.opened() as ground:
        for found in measure(ground, tuple(map(int, sys.argv[1:])) or COUNTS):
            sys.stdout.write(json.dumps(found.cells()) + "\n")
