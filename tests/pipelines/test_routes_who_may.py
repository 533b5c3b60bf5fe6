"""Alice owns, Victor looks on, Charlie is a stranger: to whom pipelines, executions and all they leave behind exist."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.pipelines import Engine, pipeline, stage

API = "/api/v1"
DEFINITION = pipeline(stage("a"))

READING = {
    "/workspaces/{workspace}/pipelines": None,
    "/pipelines/{pipeline}": None,
    "/pipelines/{pipeline}/executions": None,
    "/executions/{execution}": None,
    "/executions/{execution}/events": "application/json",
    "/executions/{execution}/logs/a/run": None,
    "/executions/{execution}/logs/a/run?follow=true": "text/event-stream",
    "/executions/{execution}/tests": None,
    "/executions/{execution}/tests/summary": None,
    "/pipelines/{pipeline}/tests/flaky": None,
    "/pipelines/{pipeline}/tests/slowest": None,
    "/executions/{execution}/artifacts": None,
    "/executions/{execution}/attempts": None,
    "/executions/{execution}/approvals": None,
    "/executions/{execution}/artifacts/kept.txt": None,
    "/jobs/{job}": None,
    "/jobs/{job}/events": "application/json",
    "/jobs/{stage_job}": None,
}
WRITING: list[tuple[str, str, Any, str]] = [
    ("POST", "/workspaces/{workspace}/pipelines", DEFINITION | {"name": "new"}, "pipelines:write"),
    ("PUT", "/pipelines/{pipeline}", DEFINITION, "pipelines:write"),
    ("PATCH", "/pipelines/{pipeline}", {"description": "mine"}, "pipelines:write"),
    ("DELETE", "/pipelines/{pipeline}", None, "pipelines:write"),
    ("POST", "/pipelines/{pipeline}/executions", {}, "executions:run"),
    ("POST", "/executions/{execution}/cancel", None, "executions:cancel"),
    ("POST", "/executions/{execution}/retry", None, "executions:retry"),
    ("POST", "/executions/{execution}/stages/a/retry", None, "executions:retry"),
    ("POST", "/executions/{execution}/stages/a/approve", {}, "executions:approve"),
    ("POST", "/executions/{execution}/stages/a/reject", {}, "executions:approve"),
    ("POST", "/jobs/{job}/cancel", None, "jobs:cancel"),
    ("POST", "/jobs/{job}/retry", None, "jobs:retry"),
]
LISTS = ("/executions", "/jobs")


@dataclass(frozen=True)
class World:
    """What Alice has made, by the words of the paths above."""

    client: FlaskClient
    ids: dict[str, Any]

    def ask(self, person: Person | None, method: str, path: str, body: Any = None, accept: str | None = None) -> Any:
        headers = {**(person.headers if person else {}), **({"Accept": accept} if accept else {})}
        return self.client.open(f"{API}{path.format(**self.ids)}", method=method, json=body, headers=headers)


@pytest.fixture
def world(client: FlaskClient, engine_of_alice: Engine) -> World:
    kept = stage("a", "echo hi; echo kept > kept.txt", artifacts=["kept.txt"])
    seen = engine_of_alice.run(pipeline(kept))
    ids = {
        "workspace": engine_of_alice.workspace.id,
        "pipeline": seen.execution.pipeline_id,
        "execution": seen.execution.id,
        "job": seen.job.id,
        "stage_job": seen.stages["a"].job_id,
    }
    return World(client, ids)


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    return make_person(app, database, "charlie")


@pytest.fixture
def victor(app: Flask, database: Database, alice: Person) -> Person:
    person = make_person(app, database, "victor")
    join(database, person, alice.organization_id, "viewer")
    return person


def test_to_a_stranger_none_of_it_exists(world: World, charlie: Person) -> None:
    for path, accept in READING.items():
        error = error_of(world.ask(charlie, "GET", path, accept=accept), 404)
        assert error["code"] == "RESOURCE_NOT_FOUND", path
    for method, path, body, _ in WRITING:
        error = error_of(world.ask(charlie, method, path, body), 404)
        assert error["code"] == "RESOURCE_NOT_FOUND", path
    for path in LISTS:
        assert data_of(world.ask(charlie, "GET", path)) == []
    assert data_of(world.ask(charlie, "GET", "/jobs?organization_id={workspace}")) == []


def test_a_strangers_refusal_is_the_one_for_what_was_never_there(world: World, charlie: Person) -> None:
    real = error_of(world.ask(charlie, "GET", "/executions/{execution}"), 404)
    never = str(world.ids["execution"])[:-4] + "0000"
    made_up = error_of(world.client.get(f"{API}/executions/{never}", headers=charlie.headers), 404)
    assert real["message"] == made_up["message"]
    assert real["details"].keys() == made_up["details"].keys()


def test_a_viewer_reads_all_of_it(world: World, victor: Person) -> None:
    for path, accept in READING.items():
        reply = world.ask(victor, "GET", path, accept=accept)
        assert reply.status_code == (503 if "follow" in path else 200), path
    assert [one["id"] for one in data_of(world.ask(victor, "GET", "/executions"))] == [str(world.ids["execution"])]
    jobs = {one["id"] for one in data_of(world.ask(victor, "GET", "/jobs"))}
    assert jobs == {str(world.ids["job"]), str(world.ids["stage_job"])}


def test_a_viewer_changes_nothing_and_is_told_what_that_takes(world: World, victor: Person) -> None:
    before = data_of(world.ask(victor, "GET", "/pipelines/{pipeline}"))
    for method, path, body, permission in WRITING:
        error = error_of(world.ask(victor, method, path, body), 403)
        assert (error["code"], error["details"]) == ("INSUFFICIENT_PERMISSIONS", {"required_permission": permission})
    assert data_of(world.ask(victor, "GET", "/pipelines/{pipeline}")) == before
    assert len(data_of(world.ask(victor, "GET", "/pipelines/{pipeline}/executions"))) == 1


def test_nobody_comes_in_without_a_login(world: World) -> None:
    for path, accept in READING.items():
        assert error_of(world.ask(None, "GET", path, accept=accept), 401)["code"] == "AUTH_REQUIRED"
    for method, path, body, _ in WRITING:
        assert error_of(world.ask(None, method, path, body), 401)["code"] == "AUTH_REQUIRED"


def test_a_pipeline_is_checked_for_whoever_is_logged_in(world: World, charlie: Person) -> None:
    assert data_of(world.ask(charlie, "POST", "/pipelines/validate", DEFINITION))["valid"] is True
