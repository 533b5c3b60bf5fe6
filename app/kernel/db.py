"""The database: the declarative base, and `transaction()`, which owns the only commit of the repository."""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import orjson
import psycopg
from sqlalchemy import Connection, DateTime, Engine, MetaData, Table, Text, create_engine, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

log = logging.getLogger(__name__)

RESTING_SINCE = "headrace.resting_since"
TRUSTED_SECONDS = 10.0

Hook = Callable[[Session], None]
Listener = Callable[[Sequence[Any]], None]


class Base(DeclarativeBase):
    """The base of every table. Constraint names follow one convention, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        datetime: DateTime(timezone=True),
        UUID: PG_UUID(as_uuid=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        str: Text,
    }


def _to_json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def make_engine(url: str, *, pool_size: int = 5, statement_timeout: float = 30.0) -> Engine:
    """Return an engine whose connections give up a statement after `statement_timeout` seconds.

    A plain `postgresql://` address is taken too; the driver is psycopg 3 in any case.
    """
    if url.startswith(("postgres://", "postgresql://")):
        url = "postgresql+psycopg://" + url.split("://", 1)[1]
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        connect_args={"connect_timeout": 5, "options": f"-c statement_timeout={int(statement_timeout * 1000)}"},
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
    )
    event.listen(engine, "checkin", _note_rest)
    event.listen(engine, "checkout", _check_rested)
    return engine


def _note_rest(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[RESTING_SINCE] = time.monotonic()


def _check_rested(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Replace a connection that the server has closed; SQLAlchemy's pre-ping would ask it, each time, over the wire."""
    rested = time.monotonic() - record.info.get(RESTING_SINCE, time.monotonic())
    try:
        if rested > TRUSTED_SECONDS or _is_told_something(connection):
            connection.execute("")
            connection.rollback()
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _is_told_something(connection: Any) -> bool:
    """Whether something has come that nobody asked for: for the most part, the end of the connection."""
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


class Database:
    """Opens transactions on one engine (or, in tests, on one connection whose work is rolled back).

    `before_commit` hooks run inside the transaction, in order. What `note()` collected is given to the listeners
    after the commit; a listener that fails is logged and forgotten, for the rows are the truth and others repair.
    """

    def __init__(self, bind: Engine | Connection, *, before_commit: Sequence[Hook] = ()) -> None:
        self.bind = bind
        self._before_commit = tuple(before_commit)
        self._listeners: dict[str, Listener] = {}

    def listen(self, subject: str, listener: Listener) -> None:
        """Call `listener` with everything noted under `subject`, after each commit."""
        self._listeners[subject] = listener

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session; leaving commits, raising rolls back. Never call the network inside."""
        with Session(self.bind, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
            yield session
            for hook in self._before_commit:
                hook(session)
            session.commit()
            notes = session.info.pop("notes", {})
        self._tell(notes)

    def _tell(self, notes: dict[str, list[Any]]) -> None:
        for subject, items in notes.items():
            listener = self._listeners.get(subject)
            if listener is None:
                continue
            try:
                listener(items)
            except Exception:
                log.warning("what was noted for %r did not reach its listener", subject, exc_info=True)


def table_of(model: type[Base]) -> Table:
    """Return a model's table: statements on it bypass the unit of work, which costs several times what they do."""
    return cast("Table", model.__table__)


def note(session: Session, subject: str, item: object) -> None:
    """Keep `item` for the listener of `subject`; it is told only if the transaction commits."""
    session.info.setdefault("notes", {}).setdefault(subject, []).append(item)
