"""The database: the declarative base, and `transaction()`, which owns the only commit of the repository."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Connection, DateTime, Engine, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from app.kernel.breaker import Breaker
from app.kernel.outages import AWAY, BUSY, SILENT, CommitUnknown, DatabaseResting, Outage, outage_of

log = logging.getLogger(__name__)

# What fails at once costs those who come next nothing.
WAITED_IN_VAIN = (SILENT, BUSY)

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


@dataclass(frozen=True, slots=True)
class Trouble:
    """What was last the matter with the database, and when, on this process's monotonic clock."""

    outage: Outage
    at: float


class Database:
    """Opens transactions on one engine (or, in tests, on one connection whose work is rolled back).

    `before_commit` hooks run inside the transaction, in order. What `note()` collected is given to the listeners
    after the commit; a listener that fails is logged and forgotten, for the rows are the truth and others repair.
    With a `breaker` a database that has just let somebody wait in vain is not asked by everybody else as well.
    """

    def __init__(
        self, bind: Engine | Connection, *, before_commit: Sequence[Hook] = (), breaker: Breaker | None = None
    ) -> None:
        self.bind = bind
        self.trouble: Trouble | None = None
        self._before_commit = tuple(before_commit)
        self._breaker = breaker or Breaker(0.0)
        self._listeners: dict[str, Listener] = {}
        self._local = threading.local()
        self._looking: tuple[Engine, Engine] | None = None

    def listen(self, subject: str, listener: Listener) -> None:
        """Call `listener` with everything noted under `subject`, after each commit."""
        self._listeners[subject] = listener

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session; leaving commits, raising rolls back. Never call the network inside.

        Raises CommitUnknown when the connection is lost during the commit.
        """
        whole = getattr(self._local, "whole", None)
        with self._part(whole) if whole is not None else self._alone() as session:
            yield session

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """Lend a connection for a statement that only reads, without the BEGIN and the COMMIT that would each cost as
        much as it; within `together`, the connection of the whole."""
        whole = getattr(self._local, "whole", None)
        if whole is not None:
            yield whole.connection()
        elif isinstance(self.bind, Connection):
            yield self.bind
        else:
            with self._watching(), self._onlooker(self.bind).connect() as connection:
                yield connection

    def _onlooker(self, engine: Engine) -> Engine:
        """Return the engine, its pool and all, for statements that are each alone."""
        if self._looking is None or self._looking[0] is not engine:
            self._looking = engine, engine.execution_options(isolation_level="AUTOCOMMIT")
        return self._looking[1]

    @contextmanager
    def together(self) -> Iterator[Session]:
        """Make one transaction of all that this thread opens in the block: they are saved together or not at all.

        Each of them still rolls back by itself when it raises, and what follows a commit follows that of the whole.
        """
        with self._alone() as session:
            self._local.whole = session
            try:
                yield session
            finally:
                self._local.whole = None

    @contextmanager
    def _alone(self) -> Iterator[Session]:
        with (
            self._watching(),
            Session(self.bind, expire_on_commit=False, join_transaction_mode="create_savepoint") as session,
        ):
            yield session
            for hook in self._before_commit:
                hook(session)
            _commit(session)
            notes = session.info.pop("notes", {})
        self._tell(notes)

    @contextmanager
    def _part(self, whole: Session) -> Iterator[Session]:
        try:
            with set_apart(whole):
                yield whole
        finally:
            # As a session of its own would: the next one reads anew.
            whole.expunge_all()

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Ask the breaker first, and tell it afterwards; keep in mind what was the matter."""
        if not self._breaker.allows():
            raise DatabaseResting(self.trouble.outage if self.trouble else AWAY)
        try:
            yield
        except BaseException as error:
            outage = outage_of(error)
            if outage is not None:
                self.trouble = Trouble(outage, time.monotonic())
            (self._breaker.failed if outage in WAITED_IN_VAIN else self._breaker.succeeded)()
            raise
        self._breaker.succeeded()

    def _tell(self, notes: dict[str, list[Any]]) -> None:
        for subject, items in notes.items():
            listener = self._listeners.get(subject)
            if listener is None:
                continue
            try:
                listener(items)
            except Exception:
                log.warning("what was noted for %r did not reach its listener", subject, exc_info=True)


@contextmanager
def set_apart(session: Session) -> Iterator[None]:
    """Let a block of a transaction fail alone: neither what it has written nor what it has noted is saved then."""
    before = _copy(session.info)
    try:
        with session.begin_nested():
            yield
    except BaseException:
        session.info.clear()
        session.info.update(before)
        raise


def _copy(collected: Any) -> Any:
    """Return what a session has collected so far: lists, and lists by name."""
    if isinstance(collected, dict):
        return {name: _copy(one) for name, one in collected.items()}
    return list(collected)


def _commit(session: Session) -> None:
    try:
        session.commit()
    except DBAPIError as error:
        if error.connection_invalidated:
            raise CommitUnknown from error
        raise


def table_of(model: type[Base]) -> Table:
    """Return a model's table: statements on it bypass the unit of work, which costs several times what they do."""
    return cast("Table", model.__table__)


def note(session: Session, subject: str, item: object) -> None:
    """Keep `item` for the listener of `subject`; it is told only if the transaction commits."""
    session.info.setdefault("notes", {}).setdefault(subject, []).append(item)
