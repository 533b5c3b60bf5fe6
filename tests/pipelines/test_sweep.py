"""What killed workers leave in an engine is taken away, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import update

from app.jobs import QUEUED, RUNNING, Job
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.ids import new_id
from tasks.pipelines.gateways.containers import ContainerRefused, Containers, Left
from tasks.pipelines.sweep import sweep
from tests.support.pipelines import Engine, pipeline, stage


@dataclass
class Kept:
    """Containers that are only names."""

    left: list[Left]
    removed: list[Left] = field(default_factory=list)
    on_clusters: bool = False
    stuck: Left | None = None

    def find_left(self, _sites: object) -> list[Left]:
        return self.left

    def remove(self, left: Left) -> None:
        if left == self.stuck:
            raise ContainerRefused("network has active endpoints")
        self.removed.append(left)


def swept(database: Database, *left: Left, stuck: Left | None = None) -> list[Left]:
    kept = Kept(list(left), stuck=stuck)
    assert sweep(database, cast("Containers", cast("Any", kept)), Vault("k" * 32)) == len(kept.removed)
    return kept.removed


@pytest.fixture
def job_id(engine_of_alice: Engine) -> UUID:
    """A job that runs its second attempt."""
    job_id = engine_of_alice.look(engine_of_alice.start(pipeline(stage("test")))).job.id
    set_job(engine_of_alice.database, job_id, RUNNING)
    return job_id


def set_job(database: Database, job_id: UUID, status: str) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(status=status, attempt=2))


def test_what_a_running_attempt_has_stays(database: Database, job_id: UUID) -> None:
    assert swept(database, Left("containers", "a", str(job_id), 2)) == []


def test_what_an_earlier_attempt_had_goes(database: Database, job_id: UUID) -> None:
    left = [Left("containers", "a", str(job_id), 1), Left("networks", "b", str(job_id), 1)]
    assert swept(database, *left) == left


def test_what_a_job_had_that_waits_again_goes(database: Database, job_id: UUID) -> None:
    set_job(database, job_id, QUEUED)
    left = Left("containers", "a", str(job_id), 2)
    assert swept(database, left) == [left]


def test_what_a_job_had_that_nobody_knows_goes_and_what_names_none_stays(database: Database) -> None:
    left = Left("containers", "a", str(new_id()), 1)
    assert swept(database, left, Left("containers", "b", "not a job", 1)) == [left]


def test_what_an_engine_does_not_let_go_keeps_nothing_else_from_going(database: Database) -> None:
    stuck, other = (Left("networks", name, str(new_id()), 1) for name in "ab")
    assert swept(database, stuck, other, stuck=stuck) == [other]
