"""What a runner sends: what is kept of it, and what is refused."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.pipelines import Execution
from tests.support.identity import Person, data_of
from tests.support.pipelines import Engine, pipeline, stage
from tests.support.runners import API, HandRunner, place_of


def test_lines_are_taken_once_and_in_order(engine_of_alice: Engine, started: UUID, runner: HandRunner) -> None:
    given = runner.claim_one()
    step_id = given["briefing"]["steps"]["compile"]
    data_of(runner.post(given, f"/steps/{step_id}/start"))
    assert data_of(runner.write(given, step_id, 1, "one\ntwo")) == {"next_seq": 3}
    assert data_of(runner.write(given, step_id, 1, "one\ntwo")) == {"next_seq": 3}
    for first_seq in (2, 4):
        refused = runner.write(given, step_id, first_seq, "three\nfour")
        assert refused.get_json()["error"]["details"] == {"next_seq": 3}
    assert data_of(runner.write(given, step_id, 3, "three")) == {"next_seq": 4}
    assert engine_of_alice.text_of(engine_of_alice.look(started).steps["build/compile"]) == ["one", "two", "three"]


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        b"{",
        b"[]",
        b'{"q":1}',
        b'{"q":1,"n":1,"t":"2026-01-01T00:00:00Z","s":"nowhere","x":"a"}',
        b'{"q":1,"n":1,"t":"2026-01-01T00:00:00Z","s":"stdout","x":"a\\u0000b"}',
        b'{"q":1,"n":1,"t":"2026-01-01T00:00:00","s":"stdout","x":"a"}',
        b'{"q":1,"n":1,"t":"0001-01-01T00:00:00+14:00","s":"stdout","x":"a"}',
        b'{"q":-1,"n":1,"t":"2026-01-01T00:00:00Z","s":"stdout","x":"a"}',
        b'{"q":true,"n":1,"t":"2026-01-01T00:00:00Z","s":"stdout","x":"a"}',
    ],
)
def test_what_is_no_log_is_refused(started: UUID, runner: HandRunner, chunk: bytes) -> None:
    given = runner.claim_one()
    step_id = given["briefing"]["steps"]["compile"]
    assert runner.send(given, f"/steps/{step_id}/log?attempt=1", chunk).status_code == 422


def test_a_runner_may_send_so_much_and_no_more(
    app: Flask, started: UUID, runner: HandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "runner_bytes", 1000)
    given = runner.claim_one()
    step_id = given["briefing"]["steps"]["compile"]
    data_of(runner.post(given, f"/steps/{step_id}/start"))
    assert data_of(runner.write(given, step_id, 1, "x" * 500))
    refused = runner.write(given, step_id, 2, "x" * 500)
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "RUNNER_BYTES_EXCEEDED")


def test_a_file_is_kept_and_found_by_the_stage_that_needs_it(
    engine_of_alice: Engine, runner: HandRunner, tmp_path: Path
) -> None:
    keeps = stage("build", artifacts=["dist/app"], runs_on=["gpu"])
    needs = stage("check", needs=["build"], runs_on=["gpu"])
    execution_id = engine_of_alice.start(pipeline(keeps, needs))
    engine_of_alice.drain()
    given = runner.claim_one()
    sealed = data_of(runner.send(given, "/files?artifact=0&name=dist/app&path=dist/app", b"bytes", "PUT"))["file"]
    assert runner.post(given, "/artifacts", {"files": [sealed]}).status_code == 204
    assert runner.finish(given, artifacts=1).status_code == 204
    checking = runner.claim_one()
    [needed] = checking["briefing"]["needed_artifacts"]
    assert needed["path"] == "dist/app"
    found = runner.client.get(f"{place_of(checking)}/artifacts/{needed['key']}", headers=runner.headers)
    assert (found.status_code, found.data) == (200, b"bytes")
    assert runner.post(checking, "/artifacts", {"files": [sealed]}).status_code == 422
    with engine_of_alice.database.transaction() as session:
        assert session.get_one(Execution, execution_id).status == "running"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("artifact=1&name=a&path=a", 422),
        ("artifact=0&name=a&path=../a", 422),
        ("artifact=0&name=a&path=/etc/passwd", 422),
        ("artifact=0&name=a%0Ab&path=a", 422),
        ("artifact=0&name=a&path=a%5Cb", 422),
        ("artifact=-1&name=a&path=a", 422),
    ],
)
def test_a_file_that_nobody_asked_for_is_refused(
    engine_of_alice: Engine, runner: HandRunner, query: str, status: int
) -> None:
    engine_of_alice.start(pipeline(stage("build", artifacts=["a"], runs_on=["gpu"])))
    engine_of_alice.drain()
    assert runner.send(runner.claim_one(), f"/files?{query}", b"bytes", "PUT").status_code == status


def test_caches_are_the_runs_own(engine_of_alice: Engine, runner: HandRunner) -> None:
    engine_of_alice.start(pipeline(stage("build", runs_on=["gpu"])))
    engine_of_alice.drain()
    given = runner.claim_one()
    assert data_of(runner.post(given, "/caches/find", {"key": "k"})) == {"cache": None}
    assert data_of(runner.send(given, "/caches?key=k&files=2", b"archive", "PUT")) == {"kept": True}
    assert data_of(runner.send(given, "/caches?key=k&files=2", b"archive", "PUT")) == {"kept": False}
    found = data_of(runner.post(given, "/caches/find", {"key": "k2", "prefixes": ["k"]}))["cache"]
    assert (found["key"], found["scope"], found["size"]) == ("k", "branch:main", 7)
    brought = runner.client.get(f"{place_of(given)}/caches/{found['id']}", headers=runner.headers)
    assert brought.data == b"archive"


def test_a_report_is_recorded_and_a_hostile_one_refused(
    client: FlaskClient, alice: Person, started: UUID, runner: HandRunner
) -> None:
    given = runner.claim_one()
    case = {"suite": "s", "class_name": "c", "name": "n", "file": None, "status": "failed", "seconds": 0.5}
    case |= {"message": "no", "output": None, "flaky": False}
    body = {"cases": [case], "faults": [{"file": "x.xml", "reason": "empty"}]}
    assert runner.send(given, "/report", client.application.json.dumps(body).encode()).status_code == 204
    shown = data_of(client.get(f"{API}/executions/{started}/tests/summary", headers=alice.headers))
    assert (shown["total"], shown["failed"]) == (1, 1)
    for wrong in ({"status": "great"}, {"seconds": -1}, {"name": "n" * 2000}, {"name": None}, {"flaky": "no"}):
        hostile = client.application.json.dumps({"cases": [case | wrong], "faults": []}).encode()
        assert runner.send(given, "/report", hostile).status_code == 422
    assert runner.send(given, "/report", b"{").status_code == 422
