"""Phases: work on an outside system that is recorded step by step, goes on where it stopped, and can be taken back.

Each phase looks before it makes, so it may be done twice. What is recorded comes before and after each, never in
between: a phase that was begun and not finished may have done anything, and is undone as if it had done all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.kernel.errors import Permanent, Transient


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a phase is not finished yet, in words for users."""

    reason: str


class Phase(Protocol):
    """A step that is made true, and taken back. Both may be asked for again, whatever became of the last time."""

    def ensure(self) -> Wait | None:
        """Look, then make what is missing; raises Transient to be tried again, anything else to be undone."""
        ...

    def undo(self) -> Wait | None:
        """Look, then take back; raises Transient to be tried again."""
        ...


class Ledger(Protocol):
    """Where it is recorded which phases were begun, finished and undone; a worker that may not write any more raises.

    `begin` and `begin_undo` may meet what was begun before, by themselves or by a worker that is gone.
    """

    def next_open(self) -> int:
        """Return the first phase that was not finished, or how many there are."""
        ...

    def begin(self, place: int) -> None:
        """Record that a phase is about to be made."""
        ...

    def finish(self, place: int) -> None:
        """Record that a phase holds and, in the same write, that the next is about to be made."""
        ...

    def last_begun(self) -> int | None:
        """Return the last phase that was begun and is not undone."""
        ...

    def begin_undo(self, place: int) -> None:
        """Record that a phase is about to be taken back."""
        ...

    def finish_undo(self, place: int) -> None:
        """Record that nothing is left of a phase."""
        ...

    def is_overdue(self, place: int) -> bool:
        """Tell whether a phase has waited for longer than it may."""
        ...


class PhaseOverdue(Permanent):
    """A phase did not come about in time."""

    code = "PHASE_TIMED_OUT"


def ensure_all(phases: Sequence[Phase], ledger: Ledger) -> Wait | None:
    """Make what is not made yet, in order; returns why one of them has to wait, or None when all hold.

    Raises what a phase raises for good, and PhaseOverdue for one that has waited too long.
    """
    place = ledger.next_open()
    if place < len(phases):
        ledger.begin(place)
    while place < len(phases):
        waiting = _try_to_ensure(phases[place])
        if waiting is not None:
            if ledger.is_overdue(place):
                raise PhaseOverdue(f"It did not come about in time: {waiting.reason}")
            return waiting
        ledger.finish(place)
        place += 1
    return None


def _try_to_ensure(phase: Phase) -> Wait | None:
    try:
        return phase.ensure()
    except Transient as error:
        return Wait(error.message)


def undo_all(phases: Sequence[Phase], ledger: Ledger) -> Wait | None:
    """Take back what was begun, the last first; returns why one of them has to wait, or None when nothing is left.

    What can be taken back no further, for whatever reason, waits: half of an undo is not an end.
    """
    while (place := ledger.last_begun()) is not None:
        ledger.begin_undo(place)
        waiting = _try_to_undo(phases[place])
        if waiting is not None:
            return waiting
        ledger.finish_undo(place)
    return None


def _try_to_undo(phase: Phase) -> Wait | None:
    try:
        return phase.undo()
    except (Transient, Permanent) as error:
        return Wait(error.message)


def percent_done(shares: Sequence[int], done: int) -> float:
    """Return how far this is, in percent, when the first `done` phases hold."""
    return 100.0 * sum(shares[:done]) / max(sum(shares), 1)
