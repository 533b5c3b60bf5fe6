"""A runner that is not trusted any more, or never was: what it is not given, and what costs others nothing."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from app.kernel.db import Database
from app.kernel.store import BlobMissing, BlobStore
from app.runners import Runner
from app.runners.routes import artifacts, caches
from app.runners.routes import runner as claims
from tests.support.identity import Person, data_of
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.runners import API, ELSEWHERE, ITSELF, HandRunner

MINE = {"disabled": {"disabled": True}, "draining": {"draining": True}, "other labels": {"labels": ["windows"]}}


@pytest.mark.parametrize(("change", "status"), [("disabled", 403), ("draining", 200), ("other labels", 200), ("", 401)])
def test_a_runner_that_waits_is_judged_by_what_it_is_when_there_is_work(
    client: FlaskClient,
    engine_of_alice: Engine,
    runner: HandRunner,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    status: int,
) -> None:
    def while_it_waits(_: float) -> None:
        with database.transaction() as session:
            session.execute(update(Runner).values(**MINE[change]) if change else delete(Runner))
        engine_of_alice.start(pipeline(ELSEWHERE))
        engine_of_alice.drain()
        monkeypatch.setattr(claims, "time", time)

    monkeypatch.setattr(claims, "time", SimpleNamespace(sleep=while_it_waits, monotonic=time.monotonic))
    body = {**ITSELF, "protocol": 1, "holding": [], "wait": 1.0}
    reply = client.post(f"{API}/runner/claim", json=body, headers=runner.headers)
    assert reply.status_code == status, reply.get_data(as_text=True)
    assert status != 200 or data_of(reply)["assignment"] is None


def test_of_who_has_nothing_no_body_is_read(started: UUID, runner: HandRunner) -> None:
    given = runner.claim_one()
    step_id = given["briefing"]["steps"]["compile"]
    assert runner.finish(given, "handed_back").status_code == 204
    for path in ("/report", f"/steps/{step_id}/log?attempt=1"):
        assert runner.send(given, path, b"no report, and no log").status_code == 409


def keeping(engine: Engine, runner: HandRunner) -> dict[str, Any]:
    engine.start(pipeline(stage("build", artifacts=["a"], runs_on=["gpu"])))
    engine.drain()
    return runner.claim_one()


def test_one_organization_leaves_others_room_to_upload(
    engine_of_alice: Engine, runner: HandRunner, alice: Person
) -> None:
    given = keeping(engine_of_alice, runner)
    put = ("/files?artifact=0&name=a&path=a", b"bytes", "PUT")
    uploads = artifacts.UPLOADS.taken
    try:
        uploads[UUID(str(alice.organization_id))] = 2
        assert runner.send(given, *put).status_code == 503
        uploads.clear()
        uploads[uuid4()] = 2
        assert runner.send(given, *put).status_code == 200
        uploads[uuid4()] = 1
        assert runner.send(given, *put).status_code == 503
    finally:
        uploads.clear()


def test_an_archive_that_comes_too_late_is_not_kept(
    app: Flask, engine_of_alice: Engine, runner: HandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = keeping(engine_of_alice, runner)
    keys: list[str] = []

    def store_and_lose(place: dict[str, Any], key: str) -> Any:
        stored = artifacts.store_upload(place, key)
        keys.append(key)
        assert runner.finish(given, "handed_back").status_code == 204
        return stored

    monkeypatch.setattr(caches, "store_upload", store_and_lose)
    assert runner.send(given, "/caches?key=k&files=1", b"archive", "PUT").status_code == 409
    store = BlobStore(app.extensions["headrace"].artifact_store)
    with pytest.raises(BlobMissing), store.open(keys[0]):
        pass
