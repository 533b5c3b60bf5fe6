"""Doing accepted jobs in tests: through JSON, the real claim and the real runtime, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import select

import tasks.every
from app.jobs import QUEUED, Job, Run
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.intents import INTENTS, Intent
from tasks.handling import HANDLERS, Handler
from workers.board import Board
from workers.heart import StopFlag
from workers.runtime import Runtime

NEVER = 3600.0

every_deed = tasks.every


def make_runtime(
    database: Database, tools: Any = None, *, lease: float = NEVER, poll: float = NEVER, grace: float = NEVER
) -> Runtime:
    """Return a runtime; by default its heart does not beat, for a test's one connection serves one thread."""
    return Runtime(database, tools, worker="tests:1", lease=lease, poll=poll, stopping=StopFlag(grace), board=Board())


def drain(database: Database, tools: Any = None, most: int = 100) -> int:
    """Run due jobs until none is left and return how many were run."""
    runtime = make_runtime(database, tools)
    for done in range(most):
        with database.transaction() as session:
            due = select(Job.id).where(Job.status == QUEUED, Job.scheduled_for <= database_now())
            job_id = session.execute(due.order_by(Job.created_at).limit(1)).scalar()
        if job_id is None:
            return done
        runtime.run_job(job_id)
    raise AssertionError(f"still jobs after {most}")


@dataclass(frozen=True, slots=True)
class Errand(Intent):
    """Something a test wants done; what is done is what `doing` was given."""

    kind: ClassVar[str] = "tests.errand"
    queue: ClassVar[str] = "default"

    subject_id: UUID


@contextmanager
def doing(deed: Callable[[Run, Errand, Any], dict[str, Any] | None]) -> Iterator[None]:
    """Let errands be done by `deed` while the block runs."""
    HANDLERS[Errand.kind] = Handler(Errand, deed)
    try:
        yield
    finally:
        del HANDLERS[Errand.kind]


# Importing this module must not add to the product's intents.
del INTENTS[Errand.kind]
