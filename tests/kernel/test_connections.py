"""Connections of the database: those the server has closed are replaced before anybody uses them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.kernel import engine as engines
from app.kernel.db import Database
from app.kernel.engine import make_engine


@pytest.fixture
def own(postgres_url: str) -> Iterator[Engine]:
    engine = make_engine(postgres_url, pool_size=2)
    yield engine
    engine.dispose()


def backend(engine: Engine) -> int:
    with Database(engine).transaction() as session:
        return int(session.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_a_connection_is_used_again(own: Engine) -> None:
    assert backend(own) == backend(own)


def test_a_connection_that_the_server_closed_is_replaced_unseen(own: Engine, postgres_url: str) -> None:
    closed, other = backend(own), make_engine(postgres_url)
    with Database(other).transaction() as session:
        session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": closed})
    other.dispose()
    assert backend(own) != closed


def test_a_connection_that_has_rested_long_is_asked_first(own: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first = backend(own)
    monkeypatch.setattr(engines, "TRUSTED_SECONDS", -1.0)
    assert backend(own) == first


def test_an_error_of_a_statement_does_not_tell_its_values(own: Engine) -> None:
    with pytest.raises(SQLAlchemyError) as raised, Database(own).transaction() as session:
        session.execute(text("SELECT CAST(:value AS text) WHERE missing"), {"value": "hunter2"})
    assert "hunter2" not in str(raised.value)
