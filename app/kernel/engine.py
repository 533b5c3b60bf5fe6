"""Connections: the engine, how much of the database a process may use, and how long it waits for it."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import psycopg
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from app.kernel.outages import ServerSilent

RESTING_SINCE = "headrace.resting_since"
TRUSTED_SECONDS = 10.0
GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of the database a process may use at once, and how long it waits for it, in seconds.

    `statement` is kept by the server; a server that does not even do that is given up `GRACE_SECONDS` later. `idle` is
    how long a transaction may do nothing before the server ends it (0: for ever): the locks of a process that stands
    still, or that lost its connection without the server's notice, keep others waiting until then.
    """

    pool_size: int = 5
    overflow: int = 5
    pool: float = 5.0
    connect: int = 5
    statement: float = 30.0
    idle: float = 0.0


def make_engine(url: str, *, pool_size: int = 5, statement_timeout: float = 30.0) -> Engine:
    """Return an engine for processes nobody waits for; `statement_timeout` is in seconds."""
    return bounded_engine(url, Bounds(pool_size, pool_size, statement=statement_timeout))


def bounded_engine(url: str, bounds: Bounds) -> Engine:
    """Return an engine that keeps within `bounds`.

    A plain `postgresql://` address is taken too; the driver is psycopg 3 in any case.
    """
    if url.startswith(("postgres://", "postgresql://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    options = f"-c statement_timeout={int(bounds.statement * 1000)}"
    if bounds.idle:
        options += f" -c idle_in_transaction_session_timeout={int(bounds.idle * 1000)}"
    engine = create_engine(
        url,
        pool_size=bounds.pool_size,
        max_overflow=bounds.overflow,
        pool_timeout=bounds.pool,
        connect_args={"connect_timeout": bounds.connect, "options": options},
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        # Errors are logged, and values may be secret.
        hide_parameters=True,
    )
    event.listen(engine, "do_connect", partial(_connect, bounds.statement + GRACE_SECONDS))
    event.listen(engine, "checkin", _note_rest)
    event.listen(engine, "checkout", _check_rested)
    return engine


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that gives its server up when nothing has come for `patience` seconds.

    A server that hangs, or one behind a network that swallows packets, keeps no timeout of its own.
    """

    patience: float = 60.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Do what psycopg waits for; raises ServerSilent, and is closed then."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - callers are told to convert it
            if timeout is not None:
                raise
            self.pgconn.finish()
            raise ServerSilent("the server does not answer") from error


def _connect(patience: float, _dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
    connection = ImpatientConnection.connect(*arguments, **named)
    connection.patience = patience
    return connection


def _note_rest(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[RESTING_SINCE] = time.monotonic()


def _check_rested(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Replace a connection that the server has closed; SQLAlchemy's pre-ping would ask it, each time, over the wire."""
    rested = time.monotonic() - record.info.get(RESTING_SINCE, time.monotonic())
    if rested <= TRUSTED_SECONDS and not _is_told_something(connection):
        return
    patience = connection.patience
    connection.patience = min(patience, GRACE_SECONDS)
    try:
        connection.execute("")
        connection.rollback()
    except ServerSilent:
        raise  # another connection would meet the same server
    except psycopg.Error as error:
        raise InvalidatePoolError from error
    finally:
        connection.patience = patience


def _is_told_something(connection: Any) -> bool:
    """Whether something has come that nobody asked for: for the most part, the end of the connection."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _to_json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
