"""Partitions: made ahead, filled with what came before them, dropped when they are old."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.kernel.db import Database
from app.kernel.partitions import (
    drop_partition,
    existing_partitions,
    is_partition,
    make_partitions,
    old_partitions,
    week_of,
)


@pytest.fixture
def table(database: Database) -> str:
    with database.transaction() as session:
        session.execute(text("CREATE TABLE readings (at timestamptz NOT NULL, value int) PARTITION BY RANGE (at)"))
        session.execute(text("CREATE TABLE readings_rest PARTITION OF readings DEFAULT"))
    return "readings"


def place_of_all(session: Session) -> list[tuple[str, int]]:
    rows = session.execute(text("SELECT tableoid::regclass::text, value FROM readings ORDER BY value"))
    return [(name, value) for name, value in rows]


def test_a_week_begins_on_monday() -> None:
    assert week_of("readings", date(2026, 11, 22)).name == "readings_p20261116"
    assert week_of("readings", date(2026, 11, 23)).start == date(2026, 11, 23)
    assert week_of("readings", date(1969, 12, 31)).start == date(1969, 12, 29)


def test_weeks_are_made_ahead_once_and_take_what_came_before_them(database: Database, table: str) -> None:
    now = datetime.now(UTC)
    with database.transaction() as session:
        for value, moment in enumerate((now, now - timedelta(days=400))):
            session.execute(text("INSERT INTO readings VALUES (:at, :value)"), {"at": moment, "value": value})
        assert len(make_partitions(session, table, "at")) == 5
        assert make_partitions(session, table, "at") == []
        this_week = week_of(table, now.date())
        assert existing_partitions(session, table)[0] == this_week
        assert place_of_all(session) == [(this_week.name, 0), ("readings_rest", 1)]


def test_a_week_is_old_when_its_last_day_is(database: Database, table: str) -> None:
    with database.transaction() as session:
        this_week = make_partitions(session, table, "at")[0]
        assert old_partitions(session, table, days=1) == []
        old = week_of(table, this_week.start - timedelta(days=70))
        bounds = {"start": old.start.isoformat(), "stop": old.end.isoformat()}
        session.execute(
            text(
                f"CREATE TABLE {old.name} PARTITION OF readings "
                f"FOR VALUES FROM ('{bounds['start']}Z') TO ('{bounds['stop']}Z')"
            )
        )
        assert old_partitions(session, table, days=90) == []
        assert old_partitions(session, table, days=50) == [old]
        drop_partition(session, old)
        drop_partition(session, old)
        assert old not in existing_partitions(session, table)


def test_a_partition_is_known_by_its_name() -> None:
    assert is_partition("job_changes_p20261116")
    assert is_partition("job_changes_rest")
    assert not is_partition("jobs")
    assert not is_partition("stream_topics")
