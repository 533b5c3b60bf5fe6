"""Pipelines over HTTP: made, read, replaced, changed, deleted, checked; and every way a definition is refused."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.tenancy import Workspace
from tests.support.identity import Person, data_of, error_of
from tests.support.pipelines import Engine, pipeline, stage, step

YAML = "application/yaml"

TEXT = """# kept as it is
name: shop
stages:
  - name: build
    steps:
      - {name: compile, run: make}
"""


@pytest.fixture
def workspace(engine_of_alice: Engine) -> Workspace:
    return engine_of_alice.workspace


@pytest.fixture
def path(workspace: Workspace) -> str:
    return f"/api/v1/workspaces/{workspace.id}/pipelines"


def make(client: FlaskClient, alice: Person, path: str, body: Any) -> dict[str, Any]:
    found: dict[str, Any] = data_of(client.post(path, json=body, headers=alice.headers), 201)
    return found


def test_a_pipeline_of_yaml_keeps_its_text_and_shows_what_it_means(
    client: FlaskClient, alice: Person, path: str, workspace: Workspace
) -> None:
    made = data_of(client.post(path, data=TEXT, content_type=YAML, headers=alice.headers), 201)
    assert (made["name"], made["source"], made["source_format"]) == ("shop", TEXT, "yaml")
    assert made["definition"]["stages"][0]["steps"][0]["run"] == "make"
    assert (made["workspace_id"], made["executions_started"]) == (str(workspace.id), 0)
    assert data_of(client.get(f"/api/v1/pipelines/{made['id']}", headers=alice.headers)) == made


def test_a_pipeline_of_json_is_the_same(client: FlaskClient, alice: Person, path: str) -> None:
    of_json = make(client, alice, path, pipeline(stage("a", "make"), name="of json"))
    text = "name: of yaml\nstages: [{name: a, depends_on: [], steps: [{name: run, run: make}]}]"
    of_yaml = data_of(client.post(path, data=text, content_type=YAML, headers=alice.headers), 201)
    assert of_json["definition"] | {"name": ""} == of_yaml["definition"] | {"name": ""}
    assert of_json["source_format"] == "json"


def test_a_pipeline_without_a_name_is_called_as_its_workspace(client: FlaskClient, alice: Person, path: str) -> None:
    assert make(client, alice, path, {"stages": [stage("a")]})["name"] == "Web shop"


def test_two_pipelines_of_a_workspace_have_two_names(client: FlaskClient, alice: Person, path: str) -> None:
    first = make(client, alice, path, pipeline(stage("a")))
    error = error_of(client.post(path, json=pipeline(stage("b")), headers=alice.headers), 409)
    assert error["code"] == "RESOURCE_ALREADY_EXISTS"
    other = make(client, alice, path, pipeline(stage("a"), name="other"))
    renamed = client.put(f"/api/v1/pipelines/{other['id']}", json=pipeline(stage("a")), headers=alice.headers)
    assert error_of(renamed, 409)["code"] == "RESOURCE_ALREADY_EXISTS"
    assert data_of(client.get(f"/api/v1/pipelines/{first['id']}", headers=alice.headers)) == first


def test_pipelines_are_listed_searched_and_sorted(client: FlaskClient, alice: Person, path: str) -> None:
    for name in ("Alpha", "beta", "10%"):
        make(client, alice, path, pipeline(stage("a"), name=name))

    def names(query: str) -> list[str]:
        return [one["name"] for one in data_of(client.get(f"{path}?{query}", headers=alice.headers))]

    assert names("") == ["10%", "beta", "Alpha"]
    assert names("sort=created_at") == ["Alpha", "beta", "10%"]
    assert names("search=ALPH") == ["Alpha"]
    assert names("search=%25") == ["10%"]
    assert error_of(client.get(f"{path}?sort=source", headers=alice.headers), 422)["code"] == "VALIDATION_ERROR"
    assert error_of(client.get(f"{path}?colour=red", headers=alice.headers), 422)["code"] == "VALIDATION_ERROR"


def test_put_replaces_and_patch_merges(client: FlaskClient, alice: Person, path: str) -> None:
    made = make(client, alice, path, pipeline(stage("a"), stage("b"), environment={"A": "1", "B": "2"}))
    at = f"/api/v1/pipelines/{made['id']}"
    patched = data_of(client.patch(at, json={"environment": {"A": None, "C": "3"}}, headers=alice.headers))
    assert patched["definition"]["environment"] == {"B": "2", "C": "3"}
    assert [one["name"] for one in patched["definition"]["stages"]] == ["a", "b"]
    assert patched["updated_at"] > made["updated_at"]
    replaced = data_of(client.put(at, data=TEXT, content_type=YAML, headers=alice.headers))
    assert (replaced["source"], replaced["definition"].get("environment") or {}) == (TEXT, {})
    refused = client.patch(at, json={"stages": []}, headers=alice.headers)
    assert [fault["field"] for fault in error_of(refused, 422)["errors"]] == ["stages"]
    deep = '{"environment": ' * 900 + "{}" + "}" * 900
    for junk in ("[1]", "5", "{", deep, deep.replace("{", "[").replace("}", "]")):
        reply = client.patch(at, data=junk, content_type="application/merge-patch+json", headers=alice.headers)
        assert error_of(reply, 400)["code"] == "MALFORMED_REQUEST"
    refused = client.patch(at, data="name: x", content_type=YAML, headers=alice.headers)
    assert error_of(refused, 415)["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert data_of(client.get(at, headers=alice.headers))["source"] == TEXT


def test_a_change_over_another_change_is_refused(client: FlaskClient, alice: Person, path: str) -> None:
    made = make(client, alice, path, pipeline(stage("a")))
    at = f"/api/v1/pipelines/{made['id']}"
    tag = client.get(at, headers=alice.headers).headers["ETag"]
    matching = {**alice.headers, "If-Match": tag}
    assert client.put(at, json=pipeline(stage("b")), headers=matching).status_code == 200
    assert error_of(client.put(at, json=pipeline(stage("c")), headers=matching), 412)["code"] == "PRECONDITION_FAILED"
    assert client.get(at, headers={**alice.headers, "If-None-Match": tag}).status_code == 200


def test_a_pipeline_is_deleted_with_its_history_but_not_while_it_runs(
    client: FlaskClient, alice: Person, path: str, engine_of_alice: Engine
) -> None:
    made = make(client, alice, path, pipeline(stage("a", "echo hi")))
    at = f"/api/v1/pipelines/{made['id']}"
    started = data_of(client.post(f"{at}/executions", json={}, headers=alice.headers), 202)
    assert error_of(client.delete(at, headers=alice.headers), 409)["code"] in ("INVALID_STATE", "RESOURCE_IN_USE")
    engine_of_alice.drain()
    assert client.delete(at, headers=alice.headers).status_code == 204
    assert client.get(at, headers=alice.headers).status_code == 404
    assert client.get(f"/api/v1/executions/{started['id']}", headers=alice.headers).status_code == 404
    job = data_of(client.get(f"/api/v1/jobs/{started['job_id']}", headers=alice.headers))
    assert job["status"] == "succeeded"


def test_validate_says_what_is_wrong_line_by_line_and_keeps_nothing(
    client: FlaskClient, alice: Person, path: str
) -> None:
    at = "/api/v1/pipelines/validate"
    good = data_of(client.post(at, data=TEXT, content_type=YAML, headers=alice.headers))
    assert good == {"valid": True, "name": "shop", "stages": ["build"], "faults": []}
    wrong = TEXT.replace("run: make", "runs: make") + "timeout: never\n"
    bad = data_of(client.post(at, data=wrong, content_type=YAML, headers=alice.headers))
    assert (bad["valid"], bad["stages"]) == (False, [])
    places = {fault["path"]: (fault["line"], fault["column"]) for fault in bad["faults"]}
    assert places["stages[0].steps[0].runs"][0] == 6
    assert places["timeout"][0] == 7
    assert data_of(client.get(path, headers=alice.headers)) == []


def bomb() -> str:
    letters = "abcdefgh"
    lines = [f"{new}: &{new} [{', '.join(['*' + old] * 10)}]" for old, new in pairwise(letters)]
    return "\n".join(["a: &a [x, x, x, x, x, x, x, x, x, x]", *lines])


STAGE = "{steps: [{name: s, run: x}], name: "

REFUSED: dict[str, tuple[str, str]] = {
    "a bomb": (bomb(), "e"),
    "a tag": ("name: !!python/object/apply:os.system [id]\nstages: []", "name"),
    "two documents": (TEXT + "---\n" + TEXT, ""),
    "a cycle": (
        f"stages: [{STAGE}a, depends_on: [b]}}, {STAGE}b, depends_on: [a]}}]",
        "stages[0].depends_on",
    ),
    "an unknown stage": (
        f"stages: [{STAGE}a, depends_on: [nobody]}}]",
        "stages[0].depends_on[0]",
    ),
    "a matrix of 10,000": (
        f"stages: [{STAGE}a, matrix: {{x: {list(range(100))}, y: {list(range(100))}}}}}]",
        "stages[0].matrix",
    ),
    "a wrong type": ("stages: 5", "stages"),
    "an unknown key": ("stages: []\nstagse: []", "stagse"),
    "nothing": ("", ""),
    "no map": ("- a\n- b", ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_definition_is_refused_by_its_field(client: FlaskClient, alice: Person, path: str, name: str) -> None:
    text, field = REFUSED[name]
    error = error_of(client.post(path, data=text, content_type=YAML, headers=alice.headers), 422)
    assert error["code"] == "VALIDATION_ERROR"
    assert field in [fault["field"] for fault in error["errors"]]
    assert {fault["path"] for fault in error["details"]["faults"]} == {fault["field"] for fault in error["errors"]}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{not json", "application/json", 422, "VALIDATION_ERROR"),
        (b"\xff\xfe", YAML, 400, "MALFORMED_REQUEST"),
        (TEXT.encode(), "application/xml", 415, "UNSUPPORTED_MEDIA_TYPE"),
        (b"#" * 10_000_000, YAML, 413, "PAYLOAD_TOO_LARGE"),
        (b"#" * 300_000, YAML, 422, "VALIDATION_ERROR"),
        (b"name: a\0b", YAML, 422, "VALIDATION_ERROR"),
        (b'{"name": "\\u0000", "stages": []}', "application/json", 422, "VALIDATION_ERROR"),
        (b'{"name": "\\ud800", "stages": []}', "application/json", 422, "VALIDATION_ERROR"),
        (b"[" * 100_000, YAML, 422, "VALIDATION_ERROR"),
        (b"[" * 100_000, "application/json", 422, "VALIDATION_ERROR"),
    ],
)
def test_a_body_that_is_no_definition_is_refused(
    client: FlaskClient, alice: Person, path: str, body: bytes, content_type: str, status: int, code: str
) -> None:
    for method, at in (("POST", path), ("POST", "/api/v1/pipelines/validate")):
        reply = client.open(at, method=method, data=body, content_type=content_type, headers=alice.headers)
        if at.endswith("validate") and status == 422:
            assert data_of(reply)["valid"] is False
        else:
            assert error_of(reply, status)["code"] == code


def test_a_pipeline_that_is_not_there_is_not_found(client: FlaskClient, alice: Person) -> None:
    error = error_of(client.get(f"/api/v1/pipelines/{UUID(int=7)}", headers=alice.headers), 404)
    assert (error["code"], error["details"]["resource_type"]) == ("RESOURCE_NOT_FOUND", "pipeline")
    assert error_of(client.get("/api/v1/pipelines/7", headers=alice.headers), 404)["code"] == "RESOURCE_NOT_FOUND"


def test_what_a_step_may_not_yet_be_is_said(client: FlaskClient, alice: Person, path: str) -> None:
    docker = {"name": "d", "step_type": "docker", "config": {"image": "debian"}}
    error = error_of(client.post(path, json=pipeline(stage("a", docker)), headers=alice.headers), 422)
    assert [fault["field"] for fault in error["errors"]] == ["stages[0].steps[0].step_type"]


def test_the_schema_is_published(client: FlaskClient) -> None:
    reply = client.get("/api/v1/schemas/pipeline.json")
    assert reply.mimetype == "application/schema+json"
    assert reply.get_json()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_step_names_with_odd_letters_are_kept(client: FlaskClient, alice: Person, path: str) -> None:
    odd = 'ünïcode & 100% "quotes" <b> ?#'
    made = make(client, alice, path, pipeline(stage(odd, step(odd))))
    started = data_of(client.post(f"/api/v1/pipelines/{made['id']}/executions", json={}, headers=alice.headers), 202)
    url = started["stages"][0]["steps"][0]["logs_url"]
    assert data_of(client.get(url, headers=alice.headers))["logs"] == []
