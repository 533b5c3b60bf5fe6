"""Outages: what an error of the database says about the database itself, where it is not a fault of the request.

By SQLSTATE where the server gave one (PostgreSQL's documentation, appendix A); an error without one never reached it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout


@dataclass(frozen=True, slots=True)
class Outage:
    """Why the database cannot be used now; `retry_after` is in seconds. A `lasting` one is worth an operator's look."""

    reason: str
    message: str
    retry_after: int = 5
    lasting: bool = True


AWAY: Final = Outage("database_away", "The database is away; try again soon.")
SILENT: Final = Outage("database_silent", "The database does not answer; try again soon.")
BUSY: Final = Outage("database_busy", "All connections to the database are in use; try again soon.", 2)
CROWDED: Final = Outage("database_crowded", "The database takes no more connections; try again soon.")
SLOW: Final = Outage("database_slow", "The database took longer than a request may; try again soon.")
FULL: Final = Outage("database_full", "The database has no room left; nothing can be kept.", 30)
READ_ONLY: Final = Outage("database_read_only", "The database takes no changes now; try again soon.", 10)
CONTENDED: Final = Outage("database_contended", "Others are changing the same; try again.", 1, lasting=False)
UNKNOWN: Final = Outage(
    "outcome_unknown",
    "The connection was lost while this was being saved: it may have been done. Look before you repeat it, "
    "or repeat it with the same Idempotency-Key.",
)

_BY_STATE: Final = {
    "25006": READ_ONLY,
    "25P03": SLOW,
    "25P04": SLOW,
    "40001": CONTENDED,
    "40P01": CONTENDED,
    "53100": FULL,
    "53300": CROWDED,
    "55P03": CONTENDED,
    "57014": SLOW,
}
# A server that refuses a connection says so in words alone.
_NO_MORE: Final = ("too many clients", "too many connections", "connection slots")


class ServerSilent(pg.OperationalError):
    """The database did not answer in time, not even by breaking the statement off."""


class DatabaseResting(SQLAlchemyError):
    """The database let somebody wait in vain a moment ago; it is not asked again yet."""

    def __init__(self, outage: Outage) -> None:
        super().__init__(outage.message)
        self.outage = outage


class CommitUnknown(SQLAlchemyError):
    """The connection was lost during a commit: what it was to save may be saved or not."""


def outage_of(error: BaseException) -> Outage | None:
    """Return what is the matter with the database, or None when the error is about something else."""
    if isinstance(error, CommitUnknown):
        return UNKNOWN
    if isinstance(error, DatabaseResting):
        return error.outage
    if isinstance(error, PoolTimeout):
        return BUSY
    return _of_driver(error) if isinstance(error, DBAPIError) else None


def _of_driver(error: DBAPIError) -> Outage | None:
    cause = error.orig
    if isinstance(cause, ServerSilent | pg.ConnectionTimeout):
        return SILENT
    state = getattr(cause, "sqlstate", None)
    if state in _BY_STATE:
        return _BY_STATE[state]
    if state is None and any(words in str(cause) for words in _NO_MORE):
        return CROWDED
    is_lost = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return AWAY if is_lost else None
