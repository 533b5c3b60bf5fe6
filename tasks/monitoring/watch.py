"""Watching: for a minute, rules are looked at as they become due, and groups of alerts are told as theirs do."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select

from app.jobs import Job, Run
from app.kernel.clock import database_now
from app.kernel.errors import HeadraceError
from app.monitoring import evaluate_rule, note_fault, take_due_rules, tell_due

log = logging.getLogger(__name__)

WATCH_SECONDS: Final = 57.0
TOO_LATE: Final = timedelta(seconds=90)
PAUSE: Final = 1.0


def watch(run: Run, seconds: float = WATCH_SECONDS) -> dict[str, Any]:
    """Watch for so many seconds and say how many looks and tellings there were; one that comes late does nothing."""
    with run.reading() as session:
        late = session.scalar(select(database_now() - Job.scheduled_for).where(Job.id == run.claim.job_id))
    if late is not None and late > TOO_LATE:
        return {"late": True}
    told = {"evaluated": 0, "told": 0}
    ends = time.monotonic() + seconds
    while True:
        told["evaluated"] += _evaluate(run)
        told["told"] += _tell(run)
        if time.monotonic() >= ends or run.should_stop():
            break
        time.sleep(PAUSE)
    run.check()
    return told


def _evaluate(run: Run) -> int:
    evaluated = 0
    while not run.should_stop():
        with run.adding() as session:
            due = take_due_rules(session)
        if not due:
            break
        evaluated += sum(look_at(run, rule_id) for rule_id in due)
    return evaluated


def look_at(run: Run, rule_id: UUID) -> bool:
    """Look at a rule. Whatever becomes of it, other organizations' rules come after it."""
    try:
        with run.adding() as session:
            return evaluate_rule(session, rule_id)
    except HeadraceError:
        raise
    except Exception:
        log.exception("a rule could not be worked out", extra={"rule_id": str(rule_id)})
    with run.adding() as session:
        note_fault(session, rule_id)
    return False


def _tell(run: Run) -> int:
    told = 0
    while not run.should_stop():
        with run.adding() as session:
            if not tell_due(session):
                break
        told += 1
    return told
