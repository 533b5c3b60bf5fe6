"""Pipelines that follow each other: the same commit, the same trust, and an end to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from app.jobs import Job
from app.kernel.events import EventRecord
from app.pipelines import Execution, StartFollowers
from app.pipelines.chaining import MOST_DEPTH
from app.pipelines.models import Pipeline
from app.pipelines.models.pipeline import FOLLOWS_OTHERS
from tests.support.chains import settle
from tests.support.identity import Person, data_of
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.repositories import Repository

API = "/api/v1"


@pytest.fixture
def make(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> Callable[..., str]:
    def make(name: str, after: str | None = None, run: str = "true", **config: Any) -> str:
        path = f"{API}/workspaces/{engine_of_alice.workspace.id}/pipelines"
        triggers = [{"trigger_type": "pipeline", "config": {"pipeline": after, **config}}] if after else []
        body = pipeline(stage("a", run), name=name, triggers=triggers)
        found: str = data_of(client.post(path, json=body, headers=alice.headers), 201)["id"]
        return found

    return make


@pytest.fixture
def run(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> Callable[..., str]:
    def run(pipeline_id: str, **body: Any) -> str:
        path = f"{API}/pipelines/{pipeline_id}/executions"
        started: str = data_of(client.post(path, json=body, headers=alice.headers), 202)["id"]
        settle(engine_of_alice)
        return started

    return run


def executions(engine: Engine, pipeline_id: str) -> list[Execution]:
    with engine.database.transaction() as session:
        mine = select(Execution).where(Execution.pipeline_id == UUID(pipeline_id)).order_by(Execution.number)
        return list(session.scalars(mine))


def results(engine: Engine) -> list[dict[str, Any]]:
    with engine.database.transaction() as session:
        kind = Job.kind == StartFollowers.kind
        return [job.result or {} for job in session.scalars(select(Job).where(kind).order_by(Job.created_at))]


def test_a_success_starts_what_waits_for_it(
    engine_of_alice: Engine, make: Callable[..., str], run: Callable[..., str]
) -> None:
    build, deploy, other = make("build"), make("deploy", "build"), make("other", "something else")
    first = engine_of_alice.look(UUID(run(build))).execution
    [second] = executions(engine_of_alice, deploy)
    assert (second.trigger, second.status, second.depth) == ("pipeline", "succeeded", 1)
    assert (second.commit_sha, second.branch) == (first.commit_sha, "main")
    assert executions(engine_of_alice, other) == []
    told = results(engine_of_alice)[0]
    assert [one["execution_id"] for one in told["started"]] == [str(second.id)]
    assert [one["reason"] for one in told["refused"]] == ["it follows 'something else', not 'build'"]


@pytest.mark.parametrize(
    ("config", "script", "started"),
    [
        ({}, "false", False),
        ({"on": ["failed"]}, "false", True),
        ({"on": ["failed"]}, "true", False),
        ({"on": ["succeeded", "failed"]}, "true", True),
        ({"branch_patterns": ["main"]}, "true", True),
        ({"branch_patterns": ["release/*"]}, "true", False),
    ],
)
def test_it_depends_on_how_and_where_it_ended(
    engine_of_alice: Engine,
    make: Callable[..., str],
    run: Callable[..., str],
    config: dict[str, Any],
    script: str,
    started: bool,
) -> None:
    build, after = make("build", run=script), make("after", "build", **config)
    run(build)
    assert bool(executions(engine_of_alice, after)) is started


def test_a_circle_ends_with_a_reason(
    engine_of_alice: Engine, make: Callable[..., str], run: Callable[..., str]
) -> None:
    ping, pong = make("ping", "pong"), make("pong", "ping")
    run(ping)
    both = executions(engine_of_alice, ping) + executions(engine_of_alice, pong)
    assert len(both) == 1 + MOST_DEPTH
    last = results(engine_of_alice)[-1]
    assert last["started"] == []
    assert "at most 10 may follow each other" in str(last["refused"])


def test_one_end_told_twice_starts_once(
    engine_of_alice: Engine, make: Callable[..., str], run: Callable[..., str]
) -> None:
    build, after = make("build"), make("after", "build")
    run(build)
    with engine_of_alice.database.transaction() as session:
        session.execute(update(EventRecord).values(dispatched_at=None))
    settle(engine_of_alice)
    assert len(executions(engine_of_alice, after)) == 1


def test_what_follows_code_of_a_fork_is_not_trusted_either(
    engine_of_alice: Engine, make: Callable[..., str], client: FlaskClient, alice: Person, shop: Repository
) -> None:
    build, after = make("build"), make("after", "build")
    path = f"{API}/pipelines/{build}/executions"
    body = {"commit_sha": shop.git("rev-parse", "HEAD")}
    data_of(client.post(path, json=body, headers=alice.headers), 202)
    with engine_of_alice.database.transaction() as session:
        request = {"number": 7, "branch": "fix", "base_branch": "main"}
        session.execute(update(Execution).values(trusted=False, pull_request=request, branch="pull/7"))
    settle(engine_of_alice)
    [second] = executions(engine_of_alice, after)
    assert (second.trusted, second.branch, second.pull_request) == (False, "pull/7", request)


def test_who_follows_is_found_by_an_index_alone(engine_of_alice: Engine, make: Callable[..., str]) -> None:
    make("build")
    make("deploy", "build")
    asked = select(Pipeline.id).where(Pipeline.workspace_id == engine_of_alice.workspace.id, FOLLOWS_OTHERS)
    with engine_of_alice.database.transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        said = str(asked.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        plan = "\n".join(session.scalars(text(f"EXPLAIN {said}".replace(":jsonb", "\\:jsonb"))))
    assert "ix_pipelines_followers" in plan
    assert "Filter" not in plan
