"""The connections of this process to the database, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import Gauge
from sqlalchemy import Engine, QueuePool, event

from app.kernel.db import Database

LIMIT = Gauge("headrace_database_connections_limit", "Connections a process may have", multiprocess_mode="liveall")
IN_USE = Gauge("headrace_database_connections_in_use", "Connections at work in a process", multiprocess_mode="liveall")


def watch_connections(database: Database) -> None:
    """Follow what is taken from the database's pool and given back."""
    pool = database.bind.pool if isinstance(database.bind, Engine) else None
    if not isinstance(pool, QueuePool):
        return
    LIMIT.set(pool.size() + pool._max_overflow)  # noqa: SLF001 - SQLAlchemy tells it nowhere else
    event.listen(pool, "checkout", lambda *_: IN_USE.set(pool.checkedout()))
    event.listen(pool, "checkin", lambda *_: IN_USE.set(pool.checkedout() - 1))
