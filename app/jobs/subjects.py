"""Subjects: how a room follows its jobs. What follows from a job's end is written in the transaction of that end,
whoever ends it: the worker, the reaper, or a client who cancels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.jobs.models import Job

Follow = Callable[[Session, Job], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a room does when a job of a kind has ended, or is to be tried again after its end."""

    ended: Follow | None = None
    retried: Follow | None = None


_subjects: dict[str, Subject] = {}


def follow(kind: str, *, ended: Follow | None = None, retried: Follow | None = None) -> None:
    """Register what follows from jobs of `kind`; once per kind, at import."""
    if kind in _subjects:
        raise ValueError(f"jobs of kind {kind} are followed already")
    _subjects[kind] = Subject(ended, retried)


def tell_ended(session: Session, job: Job) -> None:
    """Let the job's room write what follows from its end."""
    subject = _subjects.get(job.kind, Subject())
    if subject.ended:
        subject.ended(session, job)


def tell_retried(session: Session, job: Job) -> None:
    """Let the job's room write what follows from its being queued again."""
    subject = _subjects.get(job.kind, Subject())
    if subject.retried:
        subject.retried(session, job)
