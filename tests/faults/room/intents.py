"""What the harness asks of workers. Attempts are many, so that none of these may fail however often a worker dies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.kernel.intents import Intent

ATTEMPTS = 1000


@dataclass(frozen=True, slots=True)
class Trial(Intent):
    """One job of the load. `ref` is the name its client gave it; `seconds` is how long it takes."""

    kind: ClassVar[str] = "faults.noop"
    queue: ClassVar[str] = "default"
    max_attempts: ClassVar[int] = ATTEMPTS

    ref: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Sleep(Trial):
    """Sleep, reporting progress."""

    kind: ClassVar[str] = "faults.sleep"


@dataclass(frozen=True, slots=True)
class LongSleep(Trial):
    """Sleep for longer than leases, graces and pauses between faults, where it is in nobody's way."""

    kind: ClassVar[str] = "faults.long"
    queue: ClassVar[str] = "ci"


@dataclass(frozen=True, slots=True)
class Ledger(Trial):
    """Write a row of the ledger in the transaction of the job's end."""

    kind: ClassVar[str] = "faults.ledger"
    queue: ClassVar[str] = "interactive"


@dataclass(frozen=True, slots=True)
class Receipt(Trial):
    """Write a row of the ledger before the job's end, once however often it is tried."""

    kind: ClassVar[str] = "faults.receipt"
    queue: ClassVar[str] = "interactive"


@dataclass(frozen=True, slots=True)
class Grind(Trial):
    """Compute in native code that lets no other thread of its process run."""

    kind: ClassVar[str] = "faults.grind"


@dataclass(frozen=True, slots=True)
class Deaf(Trial):
    """Sleep, and never ask whether to stop."""

    kind: ClassVar[str] = "faults.deaf"


@dataclass(frozen=True, slots=True)
class Tick(Intent):
    """What beat asks for every two seconds."""

    kind: ClassVar[str] = "faults.tick"
    queue: ClassVar[str] = "default"
    max_attempts: ClassVar[int] = ATTEMPTS


TRIALS: dict[str, type[Trial]] = {
    intent.kind.removeprefix("faults."): intent for intent in (Trial, Sleep, LongSleep, Ledger, Receipt, Grind, Deaf)
}
