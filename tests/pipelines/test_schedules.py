"""Pipelines started by the clock: once for each tick, whoever looks and however long nobody did."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app import jobs
from app.kernel.db import Database
from app.pipelines import Execution, RunSchedules, run_next_due
from app.pipelines.models import Pipeline, Schedule
from app.tenancy import Workspace
from config.settings import Settings
from tests.support.committing import committing_database
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.pipelines import Engine, make_tools, pipeline, stage
from tests.support.tenancy import make_workspace

pytestmark = pytest.mark.slow

API = "/api/v1"
NIGHTLY = {"cron_expression": "30 2 * * *", "timezone": "Europe/Berlin"}


def triggers(*configs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"trigger_type": "schedule", "config": config} for config in configs]


@pytest.fixture
def make(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> Callable[..., str]:
    def make(*configs: dict[str, Any]) -> str:
        path = f"{API}/workspaces/{engine_of_alice.workspace.id}/pipelines"
        body = pipeline(stage("a"), triggers=triggers(*configs))
        found: str = data_of(client.post(path, json=body, headers=alice.headers), 201)["id"]
        return found

    return make


def schedules_of(client: FlaskClient, alice: Person, pipeline_id: str) -> list[dict[str, Any]]:
    path = f"{API}/pipelines/{pipeline_id}/schedules"
    found: list[dict[str, Any]] = data_of(client.get(path, headers=alice.headers))
    return found


def make_due(database: Database, ago: timedelta = timedelta(minutes=1)) -> None:
    with database.transaction() as session:
        session.execute(update(Schedule).values(next_at=func.clock_timestamp() - ago))


def look(engine: Engine) -> dict[str, Any]:
    """Let the periodic job look, and return what it says."""
    with engine.database.transaction() as session:
        job_id = jobs.accept(session, RunSchedules())
    engine.drain()
    with engine.database.transaction() as session:
        result: dict[str, Any] = session.get_one(jobs.Job, job_id).result or {}
    return result


def count(database: Database) -> int:
    with database.transaction() as session:
        return session.scalars(select(func.count(Execution.id))).one()


def test_a_schedule_that_fails_in_a_way_nobody_foresaw_keeps_no_other_back(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, make: Callable[..., str]
) -> None:
    broken = make(NIGHTLY)
    with engine_of_alice.database.transaction() as session:
        spoilt = {"name": "spoilt", "definition": {"name": 1}}
        session.execute(update(Pipeline).where(Pipeline.id == UUID(broken)).values(spoilt))
    sound = make(NIGHTLY)
    make_due(engine_of_alice.database)
    look(engine_of_alice)
    (first,), (second,) = (schedules_of(client, alice, one) for one in (broken, sound))
    assert (first["last_execution_id"], first["reason"][:20]) == (None, "Something went wrong")
    assert second["last_execution_id"] is not None
    assert count(engine_of_alice.database) == 1


def test_what_is_due_is_started_once_and_works_out_when_it_is_due_next(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, make: Callable[..., str]
) -> None:
    made = make(NIGHTLY, {"cron_expression": "0 12  1 1 *"})
    assert look(engine_of_alice) == {"due": 0, "started": 0}
    make_due(engine_of_alice.database)
    assert look(engine_of_alice) == {"due": 2, "started": 2}
    assert look(engine_of_alice) == {"due": 0, "started": 0}
    found = {one["expression"]: one for one in schedules_of(client, alice, made)}
    zones = {name: one["timezone"] for name, one in found.items()}
    assert zones == {"30 2 * * *": "Europe/Berlin", "0 12 1 1 *": "UTC"}
    nightly = found["30 2 * * *"]
    assert nightly["last_at"] < nightly["next_at"]
    started = data_of(client.get(f"{API}/executions/{nightly['last_execution_id']}", headers=alice.headers))
    assert (started["trigger"], started["branch"], started["status"]) == ("schedule", "main", "succeeded")
    assert started["created_by"] is None


def test_ticks_that_were_missed_are_made_up_for_by_one_run(engine_of_alice: Engine, make: Callable[..., str]) -> None:
    make({"cron_expression": "* * * * *"})
    make_due(engine_of_alice.database, timedelta(days=7))
    assert look(engine_of_alice) == {"due": 1, "started": 1}
    assert count(engine_of_alice.database) == 1


def test_two_who_look_at_once_start_one_run(settings: Settings, app: Flask) -> None:
    with committing_database(settings) as database:
        engine = _committed_engine(app, settings, database)
        engine.start(pipeline(stage("a"), triggers=triggers(NIGHTLY)))
        make_due(database)
        looks = [threading.Thread(target=_look_directly, args=(database,)) for _ in range(6)]
        for one in looks:
            one.start()
        for one in looks:
            one.join()
        assert count(database) == 2  # the one that `start` made by hand, and the one of this tick
        with database.transaction() as session:
            causes = session.scalars(select(Execution.cause).where(Execution.trigger == "schedule")).all()
        assert len(causes) == 1
        assert str(causes[0]).startswith("schedule:")


def _look_directly(database: Database) -> None:
    with database.transaction() as session:
        run_next_due(session)


def _committed_engine(app: Flask, settings: Settings, database: Database) -> Engine:
    workspace = make_workspace(database, make_person(app, database, "clara"), repository_url="file:///nowhere")
    return Engine(database, make_tools(settings, settings.data_dir), workspace)


def test_a_changed_definition_changes_its_schedules_with_it(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, make: Callable[..., str]
) -> None:
    made = make(NIGHTLY, {"cron_expression": "0 12 * * *"})
    path = f"{API}/pipelines/{made}"
    with engine_of_alice.database.transaction() as session:
        kept = session.scalars(select(Schedule).where(Schedule.expression == "30 2 * * *")).one()
        session.execute(update(Schedule).where(Schedule.id == kept.id).values(last_at=func.clock_timestamp()))
    body = pipeline(stage("a"), triggers=triggers(NIGHTLY, {"cron_expression": "0 13 * * *"}))
    data_of(client.put(path, json=body, headers=alice.headers))
    found = {one["expression"]: one for one in schedules_of(client, alice, made)}
    assert set(found) == {"30 2 * * *", "0 13 * * *"}
    assert found["30 2 * * *"]["last_at"] is not None
    data_of(client.patch(path, json={"triggers": None}, headers=alice.headers))
    assert schedules_of(client, alice, made) == []
    never = {"triggers": triggers({"cron_expression": "0 0 30 2 *"})}
    error_of(client.patch(path, json=never, headers=alice.headers), 422)
    data_of(client.put(path, json=body, headers=alice.headers))
    assert client.delete(path, headers=alice.headers).status_code == 204
    with engine_of_alice.database.transaction() as session:
        assert session.scalars(select(func.count(Schedule.id))).one() == 0


def test_a_schedule_that_was_never_worked_out_starts_nothing_at_once(
    engine_of_alice: Engine, make: Callable[..., str]
) -> None:
    make(NIGHTLY)
    with engine_of_alice.database.transaction() as session:
        session.execute(update(Schedule).values(next_at=None))
    assert look(engine_of_alice) == {"due": 1, "started": 0}
    with engine_of_alice.database.transaction() as session:
        assert session.scalars(select(Schedule.next_at)).one() is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "inactive"}, "The workspace is not active."),
        ({"repository_url": None}, "The workspace has no repository to run pipelines of."),
    ],
)
def test_what_cannot_be_started_says_why_and_keeps_no_other_back(
    client: FlaskClient,
    database: Database,
    alice: Person,
    engine_of_alice: Engine,
    make: Callable[..., str],
    change: dict[str, Any],
    reason: str,
) -> None:
    made = make(NIGHTLY)
    other = make_workspace(database, alice, "Other", repository_url=engine_of_alice.workspace.repository_url)
    Engine(database, engine_of_alice.tools, other).start(pipeline(stage("a"), triggers=triggers(NIGHTLY)))
    make_due(database)
    with database.transaction() as session:
        workspace = session.get_one(Workspace, UUID(str(engine_of_alice.workspace.id)))
        for name, value in change.items():
            setattr(workspace, name, value)
    assert look(engine_of_alice) == {"due": 2, "started": 1}
    found = schedules_of(client, alice, made)[0]
    assert (found["reason"], found["last_execution_id"]) == (reason, None)
