"""Holding a reply until a job changes, without holding a session, and for few callers at once."""

from __future__ import annotations

import threading
import time

from app.http import transaction
from app.jobs.models import QUEUED, Job
from app.jobs.places import position_of

LOOK_SECONDS = 0.25
WAITERS = threading.BoundedSemaphore(4)


def wait_for_change(job: Job, seconds: float) -> Job:
    """Return the job once its status, attempt or percent differs from what it was, it has ended, or time is up.

    At most four requests of a process wait at a time, for each takes a thread; the next is answered at once.
    """
    if seconds <= 0 or job.is_final or not WAITERS.acquire(blocking=False):
        return job
    try:
        return _poll(job, time.monotonic() + seconds)
    finally:
        WAITERS.release()


def with_position(job: Job) -> Job:
    """Return the job with its place in its queue."""
    if job.status == QUEUED:
        with transaction() as session:
            job.queue_position = position_of(session, job)
    return job


def _poll(job: Job, deadline: float) -> Job:
    before = _state(job)
    while time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        with transaction() as session:
            job = session.get_one(Job, job.id)
        if job.is_final or _state(job) != before:
            break
    return job


def _state(job: Job) -> tuple[object, ...]:
    return job.status, job.attempt, job.percent, job.phase
