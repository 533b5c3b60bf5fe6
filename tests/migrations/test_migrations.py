"""Migrations: one line of them, to the tables the code has, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from app.kernel.db import make_engine
from tests.support.servers import ROOT, Servers, migrate


@pytest.fixture(scope="module")
def script() -> ScriptDirectory:
    return ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))


def config(url: str) -> Config:
    made = Config(str(ROOT / "alembic.ini"))
    made.attributes["database_url"] = url
    return made


def test_there_is_one_head(script: ScriptDirectory):
    assert len(script.get_heads()) == 1


def test_a_migration_is_named_as_its_file(script: ScriptDirectory):
    for revision in script.walk_revisions():
        assert Path(revision.path).stem == revision.revision


def test_the_migrated_tables_are_those_of_the_code(postgres_url: str):
    command.check(config(postgres_url))


def test_every_migration_can_be_undone_and_made_again(servers: Servers, worker_id: str, script: ScriptDirectory):
    url = servers.new_database(f"up_and_down_{worker_id}")
    engine = make_engine(url)
    whole = tables(engine)
    for revision in script.walk_revisions():
        command.downgrade(config(url), revision.down_revision or "base")
    assert tables(engine) == {"alembic_version"}
    migrate(url)
    assert tables(engine) == whole
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == script.get_current_head()
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())
