"""A run: what a deed may do with the job it is doing. No Celery here; the runtime in workers/ drives it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.jobs import claiming
from app.jobs.claiming import Claim
from app.jobs.errors import Cancelled, HandedBack, LeaseLost
from app.jobs.models import SUCCEEDED, Job
from app.jobs.service import end
from app.kernel.db import Database
from app.kernel.outages import outage_of

log = logging.getLogger(__name__)

PROGRESS_INTERVAL = 0.5
RELEVANT = ("phase", "message")


class Stoppable:
    """An attempt of a job, and what may end it early. `should_stop` is what long loops and sandboxes ask; `check`
    raises instead. `attempt` counts from 1, and is the fencing token."""

    def __init__(self, job_id: UUID, attempt: int) -> None:
        self.job_id = job_id
        self.attempt = attempt
        self.cancel_requested = threading.Event()
        self.lease_lost = threading.Event()
        self.shutting_down = threading.Event()

    def should_stop(self) -> bool:
        """Tell whether this work must end now: cancelled, fenced off, or asked to go back to the queue."""
        return self.cancel_requested.is_set() or self.lease_lost.is_set() or self.shutting_down.is_set()

    def check(self) -> None:
        """Raise Cancelled, LeaseLost or HandedBack when this work must end now."""
        if self.lease_lost.is_set():
            raise LeaseLost
        if self.cancel_requested.is_set():
            raise Cancelled
        if self.shutting_down.is_set():
            raise HandedBack


class Run(Stoppable):
    """An attempt made by a worker, which writes to the database what comes of it."""

    def __init__(self, database: Database, claimed: Claim, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(claimed.job_id, claimed.attempt)
        self.claim = claimed
        self.settled = False
        self._database = database
        self._clock = clock
        self._told_at = 0.0
        self._told: tuple[str | None, str | None] = (None, None)

    @contextmanager
    def recording(self) -> Iterator[tuple[Session, Job]]:
        """Open a short transaction in which this attempt provably holds the job; raises LeaseLost otherwise."""
        with self._database.transaction() as session:
            yield session, claiming.hold(session, self.claim)

    @contextmanager
    def adding(self) -> Iterator[Session]:
        """Open a short transaction for rows that this attempt alone writes; raises LeaseLost as `recording` does.

        It locks nothing, so that what runs in parallel does not wait for each other.
        """
        with self._database.transaction() as session:
            if not claiming.look(session, self.claim).held:
                raise LeaseLost
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a short transaction for reading only."""
        with self._database.transaction() as session:
            yield session

    def progress(
        self,
        percent: float | None = None,
        *,
        phase: str | None = None,
        message: str | None = None,
        current: int | None = None,
        total: int | None = None,
    ) -> None:
        """Report how far this is; reports closer than half a second are dropped unless phase or message changed.

        One that the database does not take now is dropped as well: work must not fail for want of telling of it.
        """
        self.check()
        now = self._clock()
        if (phase, message) == self._told and now - self._told_at < PROGRESS_INTERVAL:
            return
        self._told, self._told_at = (phase, message), now
        told: dict[str, Any] = {
            "percent": percent,
            "phase": phase,
            "message": message,
            "current": current,
            "total": total,
        }
        try:
            with self.recording() as (session, job):
                claiming.advance(session, job, **told)
        except SQLAlchemyError as error:
            if outage_of(error) is None:
                raise
            log.warning("progress could not be told", extra={"error": type(error).__name__})

    def park(self, session: Session, job: Job) -> None:
        """Leave the job running without a worker, to be ended by what it has started."""
        claiming.park(session, job)
        self.settled = True

    def wait(self, session: Session, job: Job, seconds: float, reason: str) -> None:
        """Leave the job to be run again in so many seconds, as if this attempt had not been: no worker waits for what
        happens elsewhere. Clients read the reason as its message."""
        claiming.give_back(session, job, delay=seconds, counted=False, reason=reason)
        self.settled = True

    def finish(self, session: Session, job: Job, result: dict[str, Any] | None = None) -> None:
        """End the job as succeeded in the caller's transaction, with the effect itself."""
        end(session, job, SUCCEEDED, result=result)
        self.settled = True
