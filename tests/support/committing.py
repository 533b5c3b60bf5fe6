"""A database whose transactions really commit, for what several connections see or do at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from sqlalchemy import Engine, text

from app.kernel.db import Database
from app.kernel.opening import open_database
from config.settings import Settings

TABLES = (
    "job_limits",
    "job_changes",
    "jobs",
    "stream_events",
    "stream_topics",
    "events",
    "workspaces",
    "organizations",
    "clients",
    "users",
    "login_throttles",
)


@contextmanager
def committing_database(settings: Settings) -> Iterator[Database]:
    """Open the database with connections enough for ten threads; what is written is deleted in the end."""
    database = open_database(settings.database_url, None, pool_size=10)
    try:
        yield database
    finally:
        with database.transaction() as session:
            for table in TABLES:
                session.execute(text(f"DELETE FROM {table}"))
        assert isinstance(database.bind, Engine)
        database.bind.dispose()


def at_once(*calls: Callable[[], object]) -> list[BaseException | None]:
    """Make all calls at the same moment, each in a thread, and return what each raised."""
    barrier = threading.Barrier(len(calls))

    def call(one: Callable[[], object]) -> None:
        barrier.wait()
        one()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.exception() for done in [pool.submit(call, one) for one in calls]]
