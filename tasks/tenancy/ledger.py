"""The ledger of a provisioning, in the database: each write is made in a transaction in which this attempt of the job
provably holds it, so that a worker that was given up changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job, Run
from app.kernel.clock import database_now
from app.kernel.errors import Permanent
from app.kernel.events import announce
from app.tenancy import (
    DONE,
    ENSURING,
    OPEN,
    UNDOING,
    UNDONE,
    Provisioning,
    ProvisioningPhase,
    ProvisioningProgress,
    courses,
    operations,
)
from tasks.patience import patiently
from tasks.phases import Wait

Change = Callable[[Session, Provisioning, int], None]

FIRST_WAIT: Final = 0.5
LONGEST_WAIT: Final = 20.0
# An undo has no end but its own: a cluster that is away for days is asked seldom.
LONGEST_UNDO_WAIT: Final = 300.0


class TakenOver(Permanent):
    """Something else takes care of this now."""

    code = "TAKEN_OVER"


class RunLedger:
    """What `tasks.phases` records, for one attempt of a job."""

    def __init__(self, run: Run, provisioning_id: UUID, phases: list[ProvisioningPhase], *, undoing: bool) -> None:
        self._run = run
        self._id = provisioning_id
        self._undoing = undoing
        self._statuses = [phase.status for phase in phases]
        self._undoable = [phase.undoable for phase in phases]
        self._begun: set[int] = set()

    def next_open(self) -> int:
        """Return the first phase that was not finished, or how many there are."""
        return next((place for place, status in enumerate(self._statuses) if status != DONE), len(self._statuses))

    def begin(self, place: int) -> None:
        """Record that a phase is about to be made."""
        self._run.check()
        if place not in self._begun:
            patiently(self._run, lambda: self._write(place, self._begin))

    def finish(self, place: int) -> None:
        """Record that a phase holds, and that the next is about to be made."""
        patiently(self._run, lambda: self._write(place, self._finish))

    def last_begun(self) -> int | None:
        """Return the last phase that was begun and is not undone."""
        places = range(len(self._statuses))
        begun = [p for p in places if self._undoable[p] and self._statuses[p] in (ENSURING, DONE, UNDOING)]
        return begun[-1] if begun else None

    def begin_undo(self, place: int) -> None:
        """Record that a phase is about to be taken back."""
        self._run.check()
        if place not in self._begun:
            patiently(self._run, lambda: self._write(place, self._begin_undo))

    def finish_undo(self, place: int) -> None:
        """Record that nothing is left of a phase."""
        patiently(self._run, lambda: self._write(place, self._finish_undo))

    def is_overdue(self, place: int) -> bool:
        """Tell whether a phase has waited for longer than it may."""
        with self._run.reading() as session:
            key = {"provisioning_id": self._id, "position": place}
            phase = session.get_one(ProvisioningPhase, key)
            now = session.execute(select(database_now())).scalar_one()
        began = phase.started_at or now
        return (now - began).total_seconds() > courses.patience_of(phase.name)

    def wait(self, waiting: Wait) -> None:
        """Leave the job to another turn, later the more often it has had to wait."""
        patiently(self._run, lambda: self._wait(waiting))

    def _wait(self, waiting: Wait) -> None:
        with self._holding() as (session, job, provisioning):
            place = self.last_begun() if self._undoing else self.next_open()
            phase = provisioning.phases[place or 0]
            phase.waits, phase.detail = phase.waits + 1, waiting.reason
            if provisioning.waiting_for != waiting.reason:
                provisioning.waiting_for = waiting.reason
                self._tell(session, provisioning, waiting.reason)
            longest = LONGEST_UNDO_WAIT if self._undoing else LONGEST_WAIT
            delay = min(FIRST_WAIT * 1.5 ** min(phase.waits - 1, 20), longest)
            self._run.wait(session, job, delay, f"Waiting for {waiting.reason}"[:1000])

    def _write(self, place: int, change: Change) -> None:
        with self._holding() as (session, job, provisioning):
            change(session, provisioning, place)
            session.flush()
            phase = provisioning.phases[min(place + (change == self._finish), len(provisioning.phases) - 1)]
            jobs.advance(session, job, percent=min(provisioning.percent, 99.0), phase=phase.name)
        self._statuses = [one.status for one in provisioning.phases]

    @contextmanager
    def _holding(self) -> Iterator[tuple[Session, Job, Provisioning]]:
        with self._run.recording() as (session, job):
            provisioning = session.get_one(Provisioning, self._id, populate_existing=True)
            if provisioning.status not in OPEN or (provisioning.status == UNDOING) != self._undoing:
                raise TakenOver
            yield session, job, provisioning

    def _begin(self, session: Session, provisioning: Provisioning, place: int) -> None:
        phase = provisioning.phases[place]
        phase.status, phase.attempt = ENSURING, self._run.attempt
        if phase.started_at is None:
            phase.started_at = session.execute(select(database_now())).scalar_one()
            self._tell(session, provisioning, None)
        self._begun.add(place)

    def _finish(self, session: Session, provisioning: Provisioning, place: int) -> None:
        phase = provisioning.phases[place]
        now = session.execute(select(database_now())).scalar_one()
        phase.status, phase.finished_at, phase.detail = DONE, now, None
        phase.seconds = (now - (phase.started_at or now)).total_seconds()
        provisioning.waiting_for = None
        if place + 1 < len(provisioning.phases):
            self._begin(session, provisioning, place + 1)

    def _begin_undo(self, session: Session, provisioning: Provisioning, place: int) -> None:
        phase = provisioning.phases[place]
        if phase.status != UNDOING:
            phase.status, phase.waits, phase.attempt = UNDOING, 0, self._run.attempt
            self._tell(session, provisioning, None)
        self._begun.add(place)

    def _finish_undo(self, session: Session, provisioning: Provisioning, place: int) -> None:
        phase = provisioning.phases[place]
        phase.status, phase.detail = UNDONE, None
        phase.undone_at = session.execute(select(database_now())).scalar_one()
        provisioning.waiting_for = None

    def _tell(self, session: Session, provisioning: Provisioning, reason: str | None) -> None:
        session.flush()
        announce(session, ProvisioningProgress(**operations.told(provisioning), reason=reason, undoing=self._undoing))
