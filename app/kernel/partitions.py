"""Tables that grow by time, in partitions of whole weeks: made ahead, dropped when all in them is old.

Beside them stands the partition `<table>_rest`, which takes what no week was made for; its rows are moved when one is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

WEEK = timedelta(days=7)
MONDAY = date(1970, 1, 5)
WEEKS_AHEAD = 4
LOCK_TIMEOUT = "2s"

_NAME = re.compile(r"(?P<table>[a-z_]+)_p(?P<start>\d{8})")


@dataclass(frozen=True, slots=True)
class Partition:
    """One week of a table, from `start`, a Monday in UTC."""

    table: str
    start: date

    @property
    def name(self) -> str:
        """The partition's own name."""
        return f"{self.table}_p{self.start:%Y%m%d}"

    @property
    def end(self) -> date:
        """The first day that is not in it."""
        return self.start + WEEK


def is_partition(name: str) -> bool:
    """Whether a table of this name is a part of another."""
    return bool(_NAME.fullmatch(name)) or name.endswith("_rest")


def week_of(table: str, day: date) -> Partition:
    """Return the partition that a day belongs to."""
    return Partition(table, MONDAY + (day - MONDAY) // WEEK * WEEK)


def make_partitions(session: Session, table: str, column: str) -> list[Partition]:
    """Make the missing partitions of this week and the next four; return them.

    Everyone who writes to the table waits while one is attached, and this gives up rather than keep them waiting.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:table))"), {"table": table})
    today = datetime.now(UTC).date()
    wanted = [week_of(table, today + week * WEEK) for week in range(WEEKS_AHEAD + 1)]
    existing = existing_partitions(session, table)
    missing = [partition for partition in wanted if partition not in existing]
    for partition in missing:
        _attach(session, partition, column)
    return missing


def _attach(session: Session, partition: Partition, column: str) -> None:
    table, name = partition.table, partition.name
    week = {"start": _midnight(partition.start), "stop": _midnight(partition.end)}
    session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    session.execute(text(f"LOCK TABLE {table}_rest IN ACCESS EXCLUSIVE MODE"))
    session.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    moved = f"DELETE FROM {table}_rest WHERE {column} >= :start AND {column} < :stop RETURNING *"  # noqa: S608 - our names
    session.execute(text(f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved"), week)  # noqa: S608
    bounds = f"FROM ('{week['start']:%Y-%m-%d}Z') TO ('{week['stop']:%Y-%m-%d}Z')"
    session.execute(text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}"))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def existing_partitions(session: Session, table: str) -> list[Partition]:
    """Return a table's partitions, oldest first."""
    names = session.execute(
        text(
            "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
            "WHERE inhparent = CAST(:name AS regclass)"
        ),
        {"name": table},
    ).scalars()
    starts = [found["start"] for name in names if (found := _NAME.fullmatch(name))]
    return [Partition(table, datetime.strptime(start, "%Y%m%d").date()) for start in sorted(starts)]  # noqa: DTZ007


def old_partitions(session: Session, table: str, days: int) -> list[Partition]:
    """Return the partitions in which everything is older than so many days."""
    horizon = datetime.now(UTC).date() - timedelta(days=days)
    return [partition for partition in existing_partitions(session, table) if partition.end <= horizon]


def drop_partition(session: Session, partition: Partition) -> None:
    """Drop a partition with all that is in it; gives up rather than keep writers waiting."""
    session.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
    session.execute(text(f"DROP TABLE IF EXISTS {partition.name}"))
