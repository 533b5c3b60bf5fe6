"""The release: twice, and by two machines at once, on a database that was empty."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from sqlalchemy import text

from app.kernel.db import Database
from app.kernel.engine import make_engine
from tests.support.servers import ROOT, Servers

pytestmark = pytest.mark.slow


def begin_release(url: str) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "SECRET_KEY": "a key of the tests, long enough to be one",
        "ADMIN_PASSWORD": "the first of all",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "workers.release"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_two_at_once_and_one_more_make_everything_once(servers: Servers, worker_id: str) -> None:
    url = servers.postgres.create_database(f"release_{worker_id}")
    for together in (2, 1):
        started = [begin_release(url) for _ in range(together)]
        for one in started:
            said, _ = one.communicate(timeout=60)
            assert one.returncode == 0, said
    engine = make_engine(url)
    with Database(engine).transaction() as session:
        admins = session.execute(text("SELECT username, role FROM users")).all()
        keys = session.execute(text("SELECT count(*) FROM signing_keys")).scalar()
        version = session.execute(text("SELECT count(*) FROM alembic_version")).scalar()
        weeks = session.execute(text("SELECT count(*) FROM pg_inherits WHERE inhparent = 'job_changes'::regclass"))
        places = session.execute(text("SELECT places FROM job_limits")).scalars().all()
        assert (weeks.scalar(), places) == (6, [20])
    engine.dispose()
    assert [tuple(row) for row in admins] == [("admin", "admin")]
    assert (keys, version) == (1, 1)
