"""Time: always aware, always UTC. What processes compare comes from the database clock, never from a host."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Function, func


def utc_now() -> datetime:
    """Return the host's time; for what is only shown or sent."""
    return datetime.now(UTC)


def database_now() -> Function[Any]:
    """Return the database's wall clock as SQL; `now()` would be the start of the transaction."""
    return func.clock_timestamp()


def sql_seconds(count: Any) -> Function[Any]:
    """Return so many seconds, a number or an expression, as an interval of SQL."""
    return func.make_interval(0, 0, 0, 0, 0, 0, count)


def sql_days(count: Any) -> Function[Any]:
    """Return so many whole days, a number or an expression, as an interval of SQL."""
    return func.make_interval(0, 0, 0, count)


def format_time(moment: datetime) -> str:
    """Return RFC 3339 in UTC with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_time(said: Any) -> datetime | None:
    """Return a moment that somebody's object says; None for what is none, has no zone, or lies beyond the years that
    the database, or what reads from it, counts with."""
    try:
        found = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo is not None and 1970 <= found.year < 9000 else None
