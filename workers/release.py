"""The release step: brings the database to this version and sees to what every installation has: a signing key, an
administrator, places in the queues, and room for the history of jobs.

Safe to run twice, and by two machines at once.
"""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

import app.tables
from app import jobs
from app.identity import create_first_admin, ensure_signing_key
from app.kernel.audit import make_audit_partitions
from app.kernel.crypto import Vault
from app.kernel.opening import open_database
from app.monitoring import make_metric_partitions
from app.pipelines import apply_quotas
from app.sre import make_scan_partitions
from app.tenancy import apply_plans
from config.logs import set_up_logging
from config.settings import Settings, load_settings

log = logging.getLogger(__name__)

# The rooms that add to an account are entered, so that the first administrator gets all that anyone gets.
every_room = app.tables

ROOT = Path(__file__).resolve().parent.parent
LOCK = 0x4EAD4ACE


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for a database, wherever this is started from."""
    config = Config(str(ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["database_url"] = database_url
    return config


def release(settings: Settings) -> None:
    """Migrate, then make what every installation needs."""
    database = open_database(settings.database_url, None, pool_size=2)
    with database.transaction() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        command.upgrade(alembic_config(settings.database_url), "head")
        log.info("the database is at this version's tables")
    with database.transaction() as session:
        ensure_signing_key(session, Vault(*settings.secret_keys))
        apply_plans(session, settings.plan_places)
        apply_quotas(session, settings.plan_executions)
    with database.transaction() as session:
        jobs.make_history_partitions(session)
        make_audit_partitions(session)
        make_metric_partitions(session)
        make_scan_partitions(session)
    if settings.admin_password:
        with database.transaction() as session:
            create_first_admin(session, settings.admin_username, settings.admin_email, settings.admin_password)


def main() -> None:
    """Release by the settings of the environment."""
    settings = load_settings()
    set_up_logging(settings, "release")
    release(settings)


if __name__ == "__main__":
    main()
