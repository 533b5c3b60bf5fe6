"""Transactions: several as one, a commit whose answer is lost, and what one who waited in vain spares the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.kernel.breaker import Breaker
from app.kernel.db import Database, note
from app.kernel.engine import Bounds, bounded_engine
from app.kernel.outages import CommitUnknown, DatabaseResting, outage_of
from app.kernel.stream import publish, write_published
from launcher.ports import free_port


@pytest.fixture
def own(postgres_url: str) -> Iterator[Engine]:
    engine = bounded_engine(postgres_url, Bounds(1, 0, pool=0.1, statement=0.3, idle=0.3))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE together (line text UNIQUE)"))
    yield engine
    engine.dispose()
    cleaner = create_engine(engine.url)
    with cleaner.begin() as connection:
        connection.execute(text("DROP TABLE together"))
        connection.execute(text("DELETE FROM stream_events"))
        connection.execute(text("DELETE FROM stream_topics"))
    cleaner.dispose()


@pytest.fixture
def database(own: Engine) -> Database:  # type: ignore[override]
    return Database(own, before_commit=(write_published,), breaker=Breaker(60))


def write(database: Database, line: str) -> None:
    with database.transaction() as session:
        session.execute(text("INSERT INTO together VALUES (:line)"), {"line": line})
        publish(session, "together:1", line, {})
        note(session, "lines", line)


def lines(database: Database) -> list[str]:
    with database.transaction() as session:
        return sorted(session.execute(text("SELECT line FROM together")).scalars())


def test_what_is_done_together_is_saved_together(database: Database) -> None:
    told: list[str] = []
    database.listen("lines", told.extend)
    with database.together():
        write(database, "one")
        write(database, "two")
        assert (lines(database), told) == (["one", "two"], [])
    assert (lines(database), told) == (["one", "two"], ["one", "two"])


def test_what_is_done_together_fails_together(database: Database) -> None:
    told: list[str] = []
    database.listen("lines", told.extend)

    def write_and_fail() -> None:
        with database.together() as session:
            write(database, "one")
            session.execute(text("SELECT 1 / 0"))

    with pytest.raises(DBAPIError):
        write_and_fail()
    assert (lines(database), told) == ([], [])
    write(database, "two")
    assert (lines(database), told) == (["two"], ["two"])


def test_a_part_that_fails_takes_nothing_else_with_it_and_tells_nothing(database: Database) -> None:
    told: list[str] = []
    database.listen("lines", told.extend)
    with database.together():
        write(database, "one")
        with pytest.raises(DBAPIError):
            write(database, "one")
        write(database, "two")
    assert (lines(database), told) == (["one", "two"], ["one", "two"])
    with database.transaction() as session:
        events = session.execute(text("SELECT type FROM stream_events WHERE topic = 'together:1' ORDER BY seq"))
        assert list(events.scalars()) == ["one", "two"]


def test_a_connection_lost_before_the_commit_was_answered_leaves_the_outcome_unknown(database: Database) -> None:
    def lose() -> None:
        with database.transaction() as session:
            raw = session.connection().connection.dbapi_connection
            assert raw
            raw.pgconn.finish()

    with pytest.raises(CommitUnknown) as caught:
        lose()
    outage = outage_of(caught.value)
    assert outage
    assert outage.reason == "outcome_unknown"
    assert lines(database) == []


def reason(error: BaseException) -> str:
    outage = outage_of(error)
    assert outage, repr(error)
    return outage.reason


def test_what_took_too_long_and_what_found_no_place_are_told_apart(database: Database, own: Engine) -> None:
    with pytest.raises(OperationalError) as slow, database.transaction() as session:
        session.execute(text("SELECT pg_sleep(2)"))
    assert reason(slow.value) == "database_slow"
    with own.connect(), pytest.raises(PoolTimeout) as busy, database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert reason(busy.value) == "database_busy"
    with pytest.raises(DatabaseResting) as resting, database.transaction():
        pass
    assert reason(resting.value) == "database_busy"


def test_what_fails_at_once_keeps_nobody_else_from_asking() -> None:
    engine = bounded_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing", Bounds(1, 0, pool=0.1, connect=1))
    database = Database(engine, breaker=Breaker(60))
    for _ in range(3):
        with pytest.raises(OperationalError) as away, database.transaction() as session:
            session.execute(text("SELECT 1"))
        assert reason(away.value) == "database_away"
    assert database.trouble
    assert database.trouble.outage.reason == "database_away"


def test_a_mistake_of_the_request_is_no_outage(database: Database) -> None:
    with pytest.raises(DBAPIError) as mistake, database.transaction() as session:
        session.execute(text("SELECT 1 / 0"))
    assert outage_of(mistake.value) is None
    assert database.trouble is None
