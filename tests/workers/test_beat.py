"""Periodic work: every tick is one job, however many beats tell of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import literal, select

from app.jobs import Job
from app.kernel.db import Database
from app.kernel.intents import INTENTS
from config.queues import QUEUES
from tasks.every import jobs, pipelines
from tasks.handling import HANDLERS
from workers import beat
from workers.beat import PERIODS, SCHEDULE, accept_due

DEEDS = (jobs, pipelines)


@pytest.mark.parametrize("kind", sorted(PERIODS))
def test_two_beats_of_one_tick_accept_one_job(database: Database, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = datetime.now(UTC)
    for moment in (first, first, first + PERIODS[kind], first + PERIODS[kind] + timedelta(microseconds=1)):
        monkeypatch.setattr(beat, "database_now", lambda moment=moment: literal(moment))
        accept_due(database, kind)
    with database.transaction() as session:
        keys = session.scalars(select(Job.key).where(Job.kind == kind)).all()
    assert len(keys) == len(set(keys)) == 2


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_worker_with_a_wrong_clock_counts_the_same_ticks(database: Database, hours: int) -> None:
    kind = next(iter(PERIODS))
    accept_due(database, kind)
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=hours)):
        accept_due(database, kind)
    with database.transaction() as session:
        assert len(session.scalars(select(Job.key).where(Job.kind == kind)).all()) == 1


def test_all_that_is_scheduled_is_an_intent_with_a_deed_and_is_sent_to_a_queue_that_is_read() -> None:
    assert DEEDS
    for kind, entry in SCHEDULE.items():
        assert kind in INTENTS
        assert kind in HANDLERS
        assert entry["options"]["queue"] in QUEUES
