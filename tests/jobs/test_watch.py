"""The watch over the database: how long it must have been there before anybody is said to be lost."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from app.jobs import keep_watch
from app.jobs.watch import JobWatch
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database

LEASE = 30.0


def watch(database: Database) -> bool:
    with database.transaction() as session:
        return keep_watch(session, LEASE)


def watched(database: Database, *, since: float, seen: float) -> None:
    """Let it have been watched since so many seconds ago, and last looked at so many seconds ago."""
    watch(database)
    with database.transaction() as session:
        moments = {name: database_now() - sql_seconds(ago) for name, ago in (("since", since), ("seen", seen))}
        session.execute(update(JobWatch).values(moments))


def test_it_is_long_enough_after_a_lease(database: Database) -> None:
    assert not watch(database)
    watched(database, since=LEASE - 5, seen=1)
    assert not watch(database)
    watched(database, since=LEASE + 1, seen=1)
    assert watch(database)
    assert watch(database)


@pytest.mark.parametrize("seen", [LEASE / 3 + 1, 3600.0, -60.0], ids=["a beat", "an hour", "a clock that was set back"])
def test_it_begins_anew_after_a_gap(database: Database, seen: float) -> None:
    watched(database, since=3 * 3600.0, seen=seen)
    assert not watch(database)
    assert not watch(database)


def test_it_goes_on_over_a_gap_that_costs_no_lease(database: Database) -> None:
    watched(database, since=LEASE + 60, seen=LEASE / 3 - 2)
    assert watch(database)
