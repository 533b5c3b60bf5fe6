"""Retrying or cancelling many jobs, one after the other, no faster than was asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from app import jobs
from app.identity import read_rights
from app.jobs import Cancelled, Run
from app.kernel.errors import Conflict
from tasks.patience import patiently

LOOK_SECONDS = 0.2


class Pace:
    """Gives a turn `rate` times a second; what was late is not made up for in a burst."""

    def __init__(self, rate: int) -> None:
        self._interval = 1 / rate
        self._next = time.monotonic()

    def wait(self, run: Run) -> None:
        """Wait for the next turn; raises what `run.check` raises."""
        run.check()
        while (left := self._next - time.monotonic()) > 0:
            run.cancel_requested.wait(min(left, LOOK_SECONDS))
            run.check()
        self._next = max(self._next + self._interval, time.monotonic())


def move_jobs(run: Run) -> dict[str, Any]:
    """Do what the bulk job's row says, and return what was done; so does its end when it is cancelled."""
    with run.recording() as (session, _):
        bulk = jobs.begin_bulk(session, run.claim.job_id, read_rights)
    try:
        _walk(run, bulk)
    except Cancelled:
        with run.recording() as (session, job):
            now = jobs.begin_bulk(session, run.claim.job_id, read_rights)
            jobs.end(session, job, jobs.CANCELLED, result=jobs.result_of(now, ended=False))
        run.settled = True
    with run.reading() as session:
        return jobs.result_of(jobs.begin_bulk(session, run.claim.job_id, read_rights), ended=True)


def _walk(run: Run, bulk: jobs.JobBulk) -> None:
    pace, walked, total = Pace(bulk.rate), bulk.walked, bulk.matched or 0
    _report(run, bulk, walked, total)
    for job_id in _each(run, bulk):
        pace.wait(run)
        patiently(run, partial(_move, run, job_id))
        walked += 1
        _report(run, bulk, walked, max(total, walked))


def _report(run: Run, bulk: jobs.JobBulk, walked: int, total: int) -> None:
    run.progress(100 * walked / total if total else None, phase=bulk.action, current=walked, total=total)


def _each(run: Run, bulk: jobs.JobBulk) -> Iterator[UUID]:
    after = bulk.position
    while True:
        found = patiently(run, partial(_look, run, bulk, after))
        yield from found
        if not found:
            return
        after = found[-1]


def _look(run: Run, bulk: jobs.JobBulk, after: UUID | None) -> Sequence[UUID]:
    with run.reading() as session:
        return jobs.next_in_bulk(session, bulk, after, read_rights)


def _move(run: Run, job_id: UUID) -> None:
    try:
        with run.adding() as session:
            jobs.move_in_bulk(session, run.claim, job_id)
    except Conflict:
        with run.adding() as session:
            jobs.pass_over(session, run.claim, job_id)
