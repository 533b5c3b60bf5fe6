"""Migrations: one line of them, and the tables they make are the tables of the models."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.architecture.source import ROOT
from tests.support.servers import Servers, migrate


def config(url: str = "") -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["database_url"] = url
    return config


def test_there_is_one_head_and_each_file_is_named_for_its_revision() -> None:
    scripts = ScriptDirectory.from_config(config())
    assert len(scripts.get_heads()) == 1
    for script in scripts.walk_revisions():
        assert script.path.endswith(f"/{script.revision}.py")


def test_the_migrated_tables_are_those_of_the_models(postgres_url: str) -> None:
    command.check(config(postgres_url))


def test_every_migration_can_be_taken_back_and_made_again(servers: Servers, worker_id: str) -> None:
    url = servers.new_database(f"back_and_forth_{worker_id}")
    command.downgrade(config(url), "base")
    migrate(url)
    command.check(config(url))
