"""Executions over HTTP: started, listed, read; their logs, events and artifacts; and what is refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.kernel.db import Database
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, pipeline, stage, step
from tests.support.tenancy import make_workspace

API = "/api/v1"


@pytest.fixture
def made(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> str:
    """The path of a pipeline."""
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/pipelines"
    definition = pipeline(stage("a", "echo hi"), stage("b", needs=["a"]))
    return f"{API}/pipelines/{data_of(client.post(path, json=definition, headers=alice.headers), 201)['id']}"


def start(client: FlaskClient, alice: Person, made: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = data_of(client.post(f"{made}/executions", json=body, headers=alice.headers), 202)
    return found


def test_a_start_answers_at_once_with_everything_queued(client: FlaskClient, alice: Person, made: str) -> None:
    reply = client.post(f"{made}/executions", json={"variables": {"A": "1"}}, headers=alice.headers)
    data = data_of(reply, 202)
    assert reply.headers["Location"] == f"{API}/jobs/{data['job_id']}"
    assert reply.headers["Retry-After"] == "1"
    assert (data["status"], data["number"], data["branch"], data["commit_sha"]) == ("queued", 1, "main", None)
    assert (data["variables"], data["trigger"], data["created_by"]) == ({"A": "1"}, "manual", str(alice.user.id))
    shown = [(one["name"], one["status"], [each["status"] for each in one["steps"]]) for one in data["stages"]]
    assert shown == [("a", "queued", ["queued"]), ("b", "queued", ["queued"])]
    assert data_of(client.get(f"{API}/executions/{data['id']}", headers=alice.headers)) == data
    job = data_of(client.get(reply.headers["Location"], headers=alice.headers))
    assert (job["status"], job["kind"], job["attempt"]) == ("queued", "pipelines.execute", 0)
    assert job["resource"] == {"type": "execution", "id": data["id"]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"trigger": "push"}, "trigger"),
        ({"branch": ""}, "branch"),
        ({"branch": "-x"}, "branch"),
        ({"branch": "a..b^"}, "branch"),
        ({"branch": "a\x00b"}, "branch"),
        ({"branch": 5}, "branch"),
        ({"commit_sha": "main"}, "commit_sha"),
        ({"commit_sha": "0" * 39}, "commit_sha"),
        ({"commit_sha": "0" * 40 + "\n"}, "commit_sha"),
        ({"variables": ["A"]}, "variables"),
        ({"variables": {"A": 1}}, "variables.A.value"),
        ({"variables": {"A B": "1"}}, "variables.A B.key"),
        ({"variables": {"A": "x" * 4097}}, "variables.A.value"),
        ({"variables": {"A": "\x00"}}, "variables.A"),
        ({"variables": {"BRANCH": "x"}}, "variables.BRANCH"),
        ({"variables": {"MATRIX_OS": "x"}}, "variables.MATRIX_OS"),
        ({"variables": {f"V{number}": "" for number in range(101)}}, "variables"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_start_is_refused_by_its_field(
    client: FlaskClient, alice: Person, made: str, body: dict[str, Any], field: str
) -> None:
    error = error_of(client.post(f"{made}/executions", json=body, headers=alice.headers), 422)
    assert error["code"] == "VALIDATION_ERROR"
    assert {fault["field"] for fault in error["errors"]} == {field}
    assert data_of(client.get(f"{made}/executions", headers=alice.headers)) == []


def test_a_start_that_is_no_object_is_refused(client: FlaskClient, alice: Person, made: str) -> None:
    for body in (b"[]", b"5", b"{", b"\xff", b"null"):
        reply = client.post(f"{made}/executions", data=body, content_type="application/json", headers=alice.headers)
        assert error_of(reply, 400)["code"] == "MALFORMED_REQUEST"
    lone = client.post(
        f"{made}/executions",
        data=b'{"variables": {"A": "\\ud800"}}',
        content_type="application/json",
        headers=alice.headers,
    )
    assert lone.status_code in (400, 422)
    too_large = client.post(f"{made}/executions", json={"branch": "x" * 10_000_000}, headers=alice.headers)
    assert error_of(too_large, 413)["code"] == "PAYLOAD_TOO_LARGE"


def test_a_workspace_without_a_repository_runs_nothing(client: FlaskClient, database: Database, alice: Person) -> None:
    workspace = make_workspace(database, alice, name="Bare")
    path = f"{API}/workspaces/{workspace.id}/pipelines"
    bare = data_of(client.post(path, json=pipeline(stage("a")), headers=alice.headers), 201)
    error = error_of(client.post(f"{API}/pipelines/{bare['id']}/executions", json={}, headers=alice.headers), 409)
    assert (error["code"], error["details"]) == ("WORKSPACE_NOT_READY", {"workspace_id": str(workspace.id)})


def test_executions_are_listed_filtered_and_paged(client: FlaskClient, alice: Person, made: str) -> None:
    ids = [start(client, alice, made, branch=branch)["id"] for branch in ("main", "main", "dev")]
    data_of(client.post(f"{API}/executions/{ids[0]}/cancel", headers=alice.headers), 202)

    def listed(query: str, path: str = f"{API}/executions") -> list[str]:
        return [one["id"] for one in data_of(client.get(f"{path}?{query}", headers=alice.headers))]

    assert listed("") == listed("", f"{made}/executions") == ids[::-1]
    assert listed("branch=dev") == [ids[2]]
    assert listed("status=cancelled") == [ids[0]]
    assert listed("sort=number&limit=2&page=2") == [ids[2]]
    assert listed(f"pipeline_id={UUID(int=7)}") == []
    for query in ("status=odd", "sort=plan", "limit=101", "page=0", "branch=%00", "colour=red", "cursor=junk"):
        reply = client.get(f"{API}/executions?{query}", headers=alice.headers)
        assert error_of(reply, 422)["code"] == "VALIDATION_ERROR", query


def test_the_history_is_a_list_and_a_stream_needs_the_stream_process(
    client: FlaskClient, alice: Person, made: str
) -> None:
    started = start(client, alice, made)
    path = f"{API}/executions/{started['id']}/events"
    (event,) = data_of(client.get(path, headers={**alice.headers, "Accept": "application/json"}))
    assert (event["id"], event["type"], event["topic"]) == ("1", "execution.status", f"execution:{started['id']}")
    following = {**alice.headers, "Accept": "text/event-stream"}
    refused = client.get(path, headers=following)
    assert error_of(refused, 503)["code"] == "SERVICE_UNAVAILABLE"
    assert int(refused.headers["Retry-After"]) > 0
    for junk in ("x", "-1", "1.2", "%"):
        error = error_of(client.get(path, headers={**following, "Last-Event-ID": junk}), 422)
        assert [fault["field"] for fault in error["errors"]] == ["Last-Event-ID"]


def run_one(engine: Engine) -> str:
    """Run something that writes and keeps files, and return its path."""
    seen = engine.run(
        pipeline(
            stage("ran", step("talk", "for i in 1 2 3 4 5; do echo line $i; done; mkdir 'a b'; echo x > 'a b/ü%.txt'")),
            stage("also", "echo other > a.txt; mkdir 'a b'; echo y > 'a b/ü%.txt'", artifacts=["a.txt", "a b/*"]),
            stage("never", condition="TAG"),
            name="talker",
        )
    )
    return f"{API}/executions/{seen.execution.id}"


def test_a_log_is_read_from_any_line_and_to_any_line(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    at = run_one(engine_of_alice)

    def page(query: str, name: str = "ran/talk") -> tuple[list[int], bool, int, str]:
        found = data_of(client.get(f"{at}/logs/{name}{query}", headers=alice.headers))
        return [line["seq"] for line in found["logs"]], found["has_more"], found["attempt"], found["status"]

    whole, *_ = page("")
    last = whole[-1]
    assert whole == list(range(1, last + 1))
    assert page("?limit=2") == ([1, 2], True, 1, "succeeded")
    assert page(f"?after_seq={last - 1}") == ([last], False, 1, "succeeded")
    assert page(f"?after_seq={last + 5}") == ([], False, 1, "succeeded")
    assert page("?tail=2") == ([last - 1, last], False, 1, "succeeded")
    assert page("?tail=1000")[0] == whole
    assert page("?attempt=2") == ([], False, 2, "succeeded")
    assert page("", "never/run") == ([], False, 0, "skipped")
    assert page("?tail=5", "never/run") == ([], False, 0, "skipped")
    text = client.get(f"{at}/logs/never/run", headers={**alice.headers, "Accept": "text/plain"})
    assert (text.status_code, text.mimetype, text.data) == (200, "text/plain", b"")
    for query in ("after_seq=-1", "tail=0", "limit=0", "limit=10001", "attempt=0", "follow=maybe", "x=1", "tail=%00"):
        reply = client.get(f"{at}/logs/ran/talk?{query}", headers=alice.headers)
        assert error_of(reply, 422)["code"] == "VALIDATION_ERROR", query


def test_a_step_that_is_not_there_is_not_found(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    at = run_one(engine_of_alice)
    for name in ("ran/nothing", "nothing/talk", "ran/talk%00", "ran/%ff", "a/b"):
        for query in ("", "?follow=true", "?tail=3"):
            error = error_of(client.get(f"{at}/logs/{name}{query}", headers=alice.headers), 404)
            assert error["code"] == "RESOURCE_NOT_FOUND"
    error = error_of(client.get(f"{at}/logs/ran/nothing", headers=alice.headers), 404)
    assert error["details"] == {"resource_type": "step", "resource_id": "ran/nothing"}


def test_artifacts_of_odd_names_are_found_by_their_addresses(
    client: FlaskClient, alice: Person, engine_of_alice: Engine
) -> None:
    at = run_one(engine_of_alice)
    kept = data_of(client.get(f"{at}/artifacts", headers=alice.headers))
    assert [(one["stage"], one["name"], one["size"]) for one in kept] == [
        ("also", "a b/ü%.txt", 2),
        ("also", "a.txt", 6),
    ]
    assert [client.get(one["url"], headers=alice.headers).data for one in kept] == [b"y\n", b"other\n"]
    reply = client.get(kept[0]["url"], headers=alice.headers)
    assert reply.headers["Content-Disposition"].startswith("attachment; ")
    for name in ("nothing", "a.txt/", "../a.txt", "a.txt%00", "a.txt?stage=ran", "a.txt?stage=%00"):
        reply = client.get(f"{at}/artifacts/{name}", headers=alice.headers)
        assert reply.status_code in (404, 422), name


def test_what_the_store_has_lost_is_not_found(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> None:
    at = run_one(engine_of_alice)
    kept = data_of(client.get(f"{at}/artifacts", headers=alice.headers))
    for step_id in [one["id"] for one in steps_of(client, alice, at) if one["attempt"]]:
        engine_of_alice.tools.log_store.delete(step_id)
    engine_of_alice.tools.artifact_store.delete(at.rpartition("/")[2])
    for path in (f"{at}/logs/ran/talk", f"{at}/logs/ran/talk?tail=1", kept[0]["url"]):
        assert error_of(client.get(path, headers=alice.headers), 404)["code"] == "RESOURCE_NOT_FOUND"
    text = client.get(f"{at}/logs/ran/talk", headers={**alice.headers, "Accept": "text/plain"})
    assert text.status_code == 404


def steps_of(client: FlaskClient, alice: Person, at: str) -> list[dict[str, Any]]:
    execution = data_of(client.get(at, headers=alice.headers))
    return [step for one in execution["stages"] for step in one["steps"]]
