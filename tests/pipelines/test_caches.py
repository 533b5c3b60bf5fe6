"""Caches of stages: brought, kept once, out of each other's reach, and forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.kernel.clock import database_now
from app.kernel.store import BlobStore
from app.pipelines import LogReader, Pipeline, PruneCaches
from app.pipelines.definition import PullRequest
from app.pipelines.models import StoredCache
from app.pipelines.service import Start, start_execution
from tasks.tools import CacheLimits
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, Seen, pipeline, stage

API = "/api/v1"
KEEP = 'cat kept/value 2>/dev/null || echo none; mkdir -p kept; echo "$VALUE" >kept/value'


def keeping(key: str = "k-${hash:README.md}", **fields: Any) -> dict[str, Any]:
    return pipeline(stage("a", KEEP, cache=[{"key": key, "paths": ["kept"], **fields}]), environment={"VALUE": "v"})


def again(engine: Engine, first: Seen, **start: Any) -> Seen:
    with engine.database.transaction() as session:
        found = session.get_one(Pipeline, first.execution.pipeline_id)
        started = start_execution(session, found, engine.workspace, Start(**start), engine.caller).execution.id
    engine.drain()
    return engine.look(started)


def output(engine: Engine, seen: Seen) -> list[str]:
    return engine.text_of(seen.steps["a/run"])


def told(engine: Engine, seen: Seen) -> list[str]:
    """What the platform said of caches."""
    page = LogReader(engine.database, engine.tools.log_store).read(seen.steps["a/run"].id, None, 0, 100)
    return [line.message for line in page.lines if line.message.startswith("Cache ")]


def stored(engine: Engine) -> list[StoredCache]:
    with engine.database.transaction() as session:
        return list(session.scalars(select(StoredCache).order_by(StoredCache.created_at)))


def test_what_a_stage_keeps_the_next_run_finds_and_its_log_says_so(engine_of_alice: Engine) -> None:
    first = engine_of_alice.run(keeping())
    assert output(engine_of_alice, first) == ["none"]
    (kept,) = stored(engine_of_alice)
    assert (kept.scope, kept.files, kept.key[:2], len(kept.key)) == ("branch:main", 1, "k-", 66)
    assert told(engine_of_alice, first) == [f"Cache {kept.key}: miss"]
    second = again(engine_of_alice, first, variables={"VALUE": "other"})
    assert output(engine_of_alice, second) == ["v"]
    assert told(engine_of_alice, second) == [f"Cache {kept.key}: hit (branch:main), 1 files, 0.0 MiB"]
    assert output(engine_of_alice, again(engine_of_alice, first)) == ["v"]
    assert len(stored(engine_of_alice)) == 1


def test_caches_and_artifacts_live_in_any_store(engine_of_alice: Engine) -> None:
    tools = replace(engine_of_alice.tools, artifact_store=BlobStore(f"memory://{uuid4().hex}"))
    engine = Engine(engine_of_alice.database, tools, engine_of_alice.workspace)
    definition = keeping("k")
    definition["stages"][0]["artifacts"] = ["kept/*"]
    definition["stages"].append(stage("b", "cat kept/value", needs=["a"]))
    first = engine.run(definition)
    assert engine.artifacts(first.execution.id) == {"a/kept/value": b"v\n"}
    assert engine.text_of(first.steps["b/run"]) == ["v"]
    assert output(engine, again(engine, first)) == ["v"]


def test_without_its_key_the_newest_of_a_prefix_is_brought(engine_of_alice: Engine) -> None:
    definition = keeping("k-${N}-${hash:nothing.*}", restore_keys=["z", "k-"])
    first = engine_of_alice.run(definition, variables={"N": "1", "VALUE": "one"})
    assert output(engine_of_alice, again(engine_of_alice, first, variables={"N": "2", "VALUE": "two"})) == ["one"]
    third = again(engine_of_alice, first, variables={"N": "3", "VALUE": "three"})
    assert output(engine_of_alice, third) == ["two"]
    assert told(engine_of_alice, third) == ["Cache k-3-: restored from k-2- (branch:main), 1 files, 0.0 MiB"]
    assert [one.key for one in stored(engine_of_alice)] == ["k-1-", "k-2-", "k-3-"]


def test_a_stage_that_fails_keeps_nothing_and_policies_hold(engine_of_alice: Engine) -> None:
    failing = keeping()
    failing["stages"][0]["steps"][0]["run"] += "; false"
    engine_of_alice.run(failing)
    engine_of_alice.run(keeping(policy="pull") | {"name": "pull"})
    assert stored(engine_of_alice) == []
    pushing = engine_of_alice.run(keeping(policy="push") | {"name": "push"})
    assert len(stored(engine_of_alice)) == 1
    assert output(engine_of_alice, again(engine_of_alice, pushing)) == ["none"]


REQUEST = PullRequest(7, "main", "main")


def test_a_branch_reads_its_own_and_the_default_branchs_and_writes_its_own(engine_of_alice: Engine, shop: Any) -> None:
    shop.git("branch", "-f", "dev")
    first = engine_of_alice.run(keeping("k", restore_keys=["k"]), branch="dev", variables={"VALUE": "dev"})
    assert output(engine_of_alice, again(engine_of_alice, first, variables={"VALUE": "main"})) == ["none"]
    assert output(engine_of_alice, again(engine_of_alice, first, branch="dev")) == ["dev"]
    assert [one.scope for one in stored(engine_of_alice)] == ["branch:dev", "branch:main"]
    with engine_of_alice.database.transaction() as session:
        session.execute(update(StoredCache).where(StoredCache.scope == "branch:dev").values(key="older"))
    assert output(engine_of_alice, again(engine_of_alice, first, branch="dev")) == ["main"]


def test_a_forks_pull_request_poisons_neither_the_default_branch_nor_its_approved_run(engine_of_alice: Engine) -> None:
    commit = engine_of_alice.run(pipeline(stage("a"), name="commit")).execution.commit_sha
    request = {"branch": "pull/7", "commit_sha": commit, "pull_request": REQUEST, "fetch_ref": "refs/heads/main"}
    evil = {"VALUE": "evil"}
    first = engine_of_alice.run(keeping("k", restore_keys=["k"]), **request, trusted=False, variables=evil)
    assert output(engine_of_alice, again(engine_of_alice, first, **request, variables={"VALUE": "good"})) == ["none"]
    assert output(engine_of_alice, again(engine_of_alice, first)) == ["none"]
    assert output(engine_of_alice, again(engine_of_alice, first, **request, trusted=False)) == ["evil"]
    assert [one.scope for one in stored(engine_of_alice)] == ["fork:pull/7", "pull:7", "branch:main"]


@pytest.mark.parametrize("bad", ["gone", "changed", "bomb", "no archive"])
def test_a_cache_that_cannot_be_brought_costs_the_stage_nothing(engine_of_alice: Engine, bad: str) -> None:
    first = engine_of_alice.run(keeping())
    (kept,) = stored(engine_of_alice)
    engine = engine_of_alice
    if bad == "gone":
        engine.tools.artifact_store.delete(kept.blob)
    elif bad == "bomb":
        engine = Engine(engine.database, replace(engine.tools, caches=CacheLimits(1, 1, 1)), engine.workspace)
    else:
        engine.tools.artifact_store.put(kept.blob, b"x" * (kept.size + (bad == "changed")))
    second = again(engine, first)
    assert (second.statuses, output(engine, second)) == ({"a": "succeeded"}, ["none"])
    assert "not restored: " in told(engine, second)[0]


def test_a_cache_that_is_too_large_is_not_kept(engine_of_alice: Engine) -> None:
    small = replace(engine_of_alice.tools, caches=CacheLimits(1, 10**9, 7))
    engine = Engine(engine_of_alice.database, small, engine_of_alice.workspace)
    assert engine.run(keeping("k")).statuses == {"a": "succeeded"}
    assert stored(engine) == []


def test_old_deleted_and_superfluous_caches_go_with_their_bytes(engine_of_alice: Engine) -> None:
    first = engine_of_alice.run(keeping("${N}"), variables={"N": "old"})
    for name in ("deleted", "less", "most"):
        again(engine_of_alice, first, variables={"N": name})
    by_key = {one.key: one for one in stored(engine_of_alice)}
    with engine_of_alice.database.transaction() as session:
        old = {"used_at": database_now() - timedelta(days=8)}
        session.execute(update(StoredCache).where(StoredCache.key == "old").values(**old))
        session.execute(update(StoredCache).where(StoredCache.key == "deleted").values(deleted_at=database_now()))
    room = CacheLimits(10**9, by_key["most"].size + 10, 7)
    engine = Engine(engine_of_alice.database, replace(engine_of_alice.tools, caches=room), engine_of_alice.workspace)
    with engine.database.transaction() as session:
        jobs.accept(session, PruneCaches())
    engine.drain()
    assert [one.key for one in stored(engine)] == ["most"]
    assert engine.tools.artifact_store.read(by_key["most"].blob)
    left = [path for path in engine.tools.workspaces.parent.rglob("*") if path.name == by_key["old"].blob[-36:]]
    assert left == []


def test_caches_are_listed_and_deleted(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    first = engine_of_alice.run(keeping("a-${N}"), variables={"N": "1"})
    for name in ("2", "3"):
        again(engine_of_alice, first, variables={"N": name})
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/caches"

    def listed(query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = data_of(client.get(f"{path}{query}", headers=alice.headers))
        return found

    assert [one["key"] for one in listed()] == ["a-3", "a-2", "a-1"]
    assert listed()[0].keys() == {"id", "key", "scope", "size", "files", "created_at", "used_at"}
    assert [one["key"] for one in listed("?key=a-2&scope=branch:main")] == ["a-2"]
    assert listed("?scope=branch:dev") == []
    assert client.delete(f"{path}/{listed('?key=a-1')[0]['id']}", headers=alice.headers).status_code == 204
    assert error_of(client.delete(f"{path}/{UUID(int=7)}", headers=alice.headers), 404)["code"] == "RESOURCE_NOT_FOUND"
    assert data_of(client.delete(f"{path}?key=a-2", headers=alice.headers)) == {"deleted": 1}
    assert output(engine_of_alice, again(engine_of_alice, first, variables={"N": "1"})) == ["none"]
    assert data_of(client.delete(path, headers=alice.headers)) == {"deleted": 2}
    assert listed() == []
