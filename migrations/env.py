"""Runs the migrations: on the address or the connection it is given, else on the one of the settings.

Two releases at once wait for each other, and a migration that does not get its lock gives up soon instead of stopping
everyone who queues behind it.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from app.kernel.engine import make_engine
from app.kernel.partitions import is_partition
from app.tables import METADATA
from config.settings import load_settings

LOCK = 0x4EAD0001
LOCK_TIMEOUT = "8s"
STATEMENT_SECONDS = 300.0


def migrate(connection: Connection) -> None:
    """Bring the database of `connection` to the asked revision, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        compare_server_default=True,
        include_name=lambda name, kind, _parents: kind != "table" or not is_partition(name or ""),
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()


def main() -> None:
    """Migrate on what `attributes` of Alembic's configuration name: `connection` or `database_url`."""
    given = context.config.attributes
    if "connection" in given:
        migrate(given["connection"])
        return
    url = given.get("database_url") or load_settings().database_url
    engine = make_engine(url, pool_size=1, statement_timeout=STATEMENT_SECONDS)
    with engine.connect() as connection:
        migrate(connection)
    engine.dispose()


main()
