"""The runtime: claims a job, runs its deed under a heart, and gives every ending its fate.

The three fates of a failure are decided here, once: Transient again, with backoff and jitter; Permanent never;
anything else is a bug, logged with its trace and tried again a bounded number of times.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Cancelled, Claim, HandedBack, LeaseLost, Run
from app.kernel.db import Database
from app.kernel.errors import HeadraceError, Permanent, Transient
from app.kernel.outages import outage_of
from app.kernel.tracing import Span, span
from tasks.handling import HANDLERS, Handler
from tasks.tools import Tools
from workers.board import Board
from workers.heart import Heart, StopFlag

log = logging.getLogger(__name__)

BACKOFF_BASE = 2.0
BACKOFF_LIMIT = 600.0
PAUSE = 0.5
PATIENCE = 600.0

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def backoff(attempt: int) -> float:
    """Return the seconds to wait after a failed attempt: 2, 4, 8 … up to ten minutes, with full jitter's upper half."""
    ceiling = min(BACKOFF_BASE**attempt, BACKOFF_LIMIT)
    return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - spreads retries, keeps no secret


def _as_error(error: HeadraceError) -> dict[str, Any]:
    return {"code": error.code, "message": _storable(error.message), "details": _storable(dict(error.details))}


def _storable(value: Any) -> Any:
    """Return what the database can hold of it: errors quote servers of others, which may say anything, and a failure
    that cannot be recorded would be tried again."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {name: _storable(each) for name, each in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list | tuple) else value


def _unforeseen(error: Exception) -> dict[str, Any]:
    return {
        "code": "INTERNAL_ERROR",
        "message": "Something went wrong inside.",
        "details": {"function": jobs.function_of(error)},
    }


class Runtime:
    """Runs jobs in this process, one at a time per calling thread."""

    def __init__(
        self,
        database: Database,
        tools: Tools,
        *,
        worker: str,
        lease: float,
        poll: float,
        stopping: StopFlag,
        board: Board,
    ) -> None:
        self._database = database
        self._tools = tools
        self._worker = worker
        self._lease = lease
        self._poll = poll
        self._stopping = stopping
        self._board = board

    def run_job(self, job_id: UUID) -> bool:
        """Run the job if it can be claimed; False means that the message was late, doubled or lost its point."""
        with self._database.transaction() as session:
            claimed = jobs.claim(session, job_id, self._worker, self._lease)
        if claimed is None:
            return False
        with (
            jobs.carrying_on(claimed.origin, claimed.job_id, claimed.attempt),
            span(f"job {claimed.kind}", kind="consumer", job_id=claimed.job_id, attempt=claimed.attempt) as told,
        ):
            self._run(claimed, told)
        return True

    def _run(self, claimed: Claim, told: Span) -> None:
        began = time.monotonic()
        handler = HANDLERS[claimed.kind]
        run = Run(self._database, claimed)
        heart = Heart(
            self._database,
            run,
            lease=self._lease,
            poll=self._poll,
            policy=handler.intent.on_lost_lease,
            stopping=self._stopping,
        )
        with self._board.showing(claimed), heart:
            error = self._attempt(run, handler)
        if error:
            told.fail(error)
        seconds = round(time.monotonic() - began, 3)
        log.info("an attempt ended", extra={"kind": claimed.kind, "seconds": seconds, "error": error})

    def _attempt(self, run: Run, handler: Handler) -> str | None:
        """Do the deed and record its end; returns the code of what kept it from succeeding."""
        try:
            self._do(run, handler)
        except LeaseLost as error:
            log.warning("lost the lease; this attempt writes nothing more")
            return error.code
        except Exception as error:  # noqa: BLE001 - every failure gets its fate below
            self._record_failure(run, error)
            return error.code if isinstance(error, HeadraceError) else type(error).__name__
        return None

    def _do(self, run: Run, handler: Handler) -> None:
        result = handler.deed(run, handler.intent.from_json(run.claim.payload), self._tools)
        if not run.settled:
            self._record(run, lambda session, job: run.finish(session, job, result))

    def _record_failure(self, run: Run, error: Exception) -> None:
        try:
            self._record(run, lambda session, job: self._decide(session, job, error, run))
        except LeaseLost:
            log.warning("an attempt failed after it had lost its lease", exc_info=error)

    def _record(self, run: Run, write: Callable[[Session, jobs.Job], None]) -> None:
        """Record an end as soon as the database lets us: an outage of a moment must not cost the whole work.

        Where a commit's outcome is unknown, the next try tells by a LeaseLost that it was made. Gives up when the lease
        is lost or the worker stops; then the relay takes the job.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with run.recording() as (session, job):
                    return write(session, job)
            except SQLAlchemyError as error:
                stop = run.lease_lost.is_set() or run.shutting_down.is_set() or time.monotonic() > deadline
                if stop or outage_of(error) is None:
                    raise
                log.warning("waiting to record an end", extra={"error": type(error).__name__})
                time.sleep(PAUSE)

    def _decide(self, session: Any, job: jobs.Job, error: Exception, run: Run) -> None:
        match error:
            case Cancelled():
                jobs.end(session, job, jobs.CANCELLED)
            case HandedBack():
                jobs.give_back(session, job, counted=False, reason="The worker was stopped; another takes over.")
            case Transient():
                delay = error.retry_after if error.retry_after is not None else backoff(run.attempt)
                jobs.fail_or_retry(session, job, _as_error(error), delay=delay)
            case Permanent():
                jobs.end(session, job, jobs.FAILED, error=_as_error(error))
            case SQLAlchemyError() if outage := outage_of(error):
                away = {"code": outage.reason.upper(), "message": outage.message, "details": {}}
                jobs.fail_or_retry(session, job, away, delay=backoff(run.attempt))
            case _:
                log.error("a deed failed in a way nobody foresaw", extra={"kind": job.kind}, exc_info=error)
                jobs.fail_or_retry(session, job, _unforeseen(error), delay=backoff(run.attempt))
