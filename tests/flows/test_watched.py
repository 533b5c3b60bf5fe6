"""What operators see of one request: a trace and log lines that lead from its POST to the last step, over processes."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client import REGISTRY, generate_latest

import app.http
from launcher.gates import answers
from launcher.output import Console
from tests.architecture.source import ROOT
from tests.support.callers import User
from tests.support.otlp import Collector, Taken, collecting
from tests.support.pipelines import pipeline, stage, step
from tests.support.platform import Platform, wait_for
from tests.support.repositories import Repository
from tests.support.servers import Servers

SECRET = "hunter2-is-a-secret"
TOLD_AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_SERVICE_NAME": "mill", "LOG_FORMAT": "json"}
DEFINITION = pipeline(
    stage("build", step("compile", "echo $TOKEN > out.txt", secrets=["TOKEN"]), artifacts=["out.txt"]),
    stage("check", step("read", "cat out.txt"), step("count", "wc out.txt"), needs=["build"]),
)
# Imported, it declares its metrics.
declaring = app.http


@dataclass(frozen=True)
class Watched:
    """A platform whose traces are collected, and whose lines are JSON."""

    platform: Platform
    collector: Collector

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Return what a process has said; a worker greets in words of its own."""
        said = self.platform.log(name).splitlines()
        return [json.loads(line) for line in said if line.startswith("{") and line.endswith("}")]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    servers = Servers.started()
    try:
        with collecting() as collector:
            places = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
            platform = Platform(tmp_path_factory.mktemp("watched"), servers, **places, **TOLD_AT_ONCE)
            with platform.running():
                yield Watched(platform, collector)
    finally:
        servers.stop()


@dataclass(frozen=True)
class Walk:
    """One execution, and what was told of it."""

    execution: dict[str, Any]
    spans: list[Taken]


@pytest.fixture(scope="module")
def walk(watched: Watched, repository: Repository) -> Walk:
    alice = User.registered(watched.platform.base, "alice")
    workspace = alice.make_workspace("Watched", repository.url)
    alice.post(f"/workspaces/{workspace}/secrets", {"name": "TOKEN", "value": SECRET}).data(201)
    made = alice.make_pipeline(workspace, DEFINITION)
    reply = alice.post(f"/pipelines/{made}/executions", {}, X_Request_ID="walk-7")
    execution = alice.wait_for_end(reply.data(202)["id"])
    assert execution["status"] == "succeeded"
    (began,) = [span for span in watched.collector.spans if span.attributes.get("headrace.request_id") == "walk-7"]

    def whole() -> list[Taken] | None:
        spans = [span for span in watched.collector.spans if span.trace_id == began.trace_id]
        return spans if sum(span.name.startswith("job ") for span in spans) == 3 else None

    return Walk(execution, wait_for(whole))


def test_one_trace_leads_from_the_request_to_the_last_step(walk: Walk) -> None:
    names = sorted(span.name for span in walk.spans)
    assert names == sorted(
        [
            "POST /api/v1/pipelines/<uuid:pipeline_id>/executions",
            "job pipelines.execute",
            *["job pipelines.run_stage", "checkout"] * 2,
            "keep artifacts",
            "bring artifacts",
            *["step"] * 3,
        ]
    )
    by_id = {span.span_id: span for span in walk.spans}
    (root,) = [span for span in walk.spans if span.parent_id not in by_id]
    assert root.name.startswith("POST ")
    assert {span.resource["headrace.process"] for span in walk.spans} == {"web", "worker"}
    assert {span.resource["service.name"] for span in walk.spans} == {"mill"}


def test_spans_tell_what_was_done(walk: Walk) -> None:
    steps = {span.attributes["headrace.step"]: span.attributes for span in walk.spans if span.name == "step"}
    assert set(steps) == {"compile", "read", "count"}
    assert steps["compile"] == {
        "headrace.stage": "build",
        "headrace.step": "compile",
        "headrace.step_attempt": 1,
        "headrace.status": "succeeded",
        "headrace.exit_code": 0,
    }
    (execute,) = [span for span in walk.spans if span.name == "job pipelines.execute"]
    assert execute.attributes["headrace.job_id"] == walk.execution["job_id"]


def test_no_span_holds_a_secret_or_where_the_source_is(walk: Walk, repository: Repository) -> None:
    told = repr(walk.spans)
    assert SECRET not in told
    assert repository.url not in told


def test_lines_of_every_process_name_the_request_the_job_and_its_attempt(walk: Walk, watched: Watched) -> None:
    (answered,) = [line for line in watched.lines("web") if line.get("request_id") == "walk-7"]
    assert (answered["message"], answered["method"], answered["status"]) == ("answered", "POST", 202)
    assert answered["trace_id"] == walk.spans[0].trace_id
    ended = [
        line
        for name in ("worker-interactive", "worker-ci")
        for line in watched.lines(name)
        if line["message"] == "an attempt ended" and line.get("request_id") == "walk-7"
    ]
    assert [line["kind"] for line in ended] == ["pipelines.execute", *["pipelines.run_stage"] * 2]
    assert {line["attempt"] for line in ended} == {1}
    assert len({line["job_id"] for line in ended}) == 3
    assert {line["trace_id"] for line in ended} == {walk.spans[0].trace_id}


def test_what_a_killed_worker_had_begun_is_carried_on_in_the_same_trace(
    watched: Watched, repository: Repository
) -> None:
    alice = User.registered(watched.platform.base, "bob")
    workspace = alice.make_workspace("Killed", repository.url)
    made = alice.make_pipeline(workspace, pipeline(stage("build", "test -e ../done || sleep 5")))
    started = alice.post(f"/pipelines/{made}/executions", {}, X_Request_ID="walk-8").data(202)
    alice.wait_for_stage(started["id"], "build", "running")
    watched.platform.restart("worker-ci")
    assert alice.wait_for_end(started["id"])["status"] == "succeeded"

    def attempts() -> list[Taken]:
        return [
            span
            for span in watched.collector.named("job pipelines.run_stage")
            if span.attributes["headrace.attempt"] == 2
        ]

    (again,) = wait_for(attempts)
    (began,) = [span for span in watched.collector.spans if span.attributes.get("headrace.request_id") == "walk-8"]
    assert again.trace_id == began.trace_id
    (taken,) = [line for line in watched.lines("relay") if line["message"] == "took a job from a lost worker"]
    assert (taken["request_id"], taken["attempt"]) == ("walk-8", 1)


def test_every_metric_of_the_dashboard_and_the_alerts_is_exported(walk: Walk, watched: Watched) -> None:
    deployed = ("deploy/grafana/headrace.json", "deploy/prometheus/alerts.yml", "docs/operations.md")
    named = {name for path in deployed for name in re.findall(r"\bheadrace_[a-z_]+", (ROOT / path).read_text())}
    with urlopen(watched.platform.base + "/metrics") as reply:
        live = reply.read().decode()
    # What has not been counted yet has no lines; that it would is known of its declaration.
    exported = set(re.findall(r"\bheadrace_[a-z_]+", live + generate_latest(REGISTRY).decode()))
    assert len(named) > 20
    assert {name.removesuffix("_bucket") for name in named} - {"headrace_store"} <= exported


def test_flower_shows_workers_and_tasks_by_their_names_behind_its_password(
    watched: Watched, repository: Repository
) -> None:
    platform, console = watched.platform, Console(quiet=True)
    flower = platform._child("flower")
    flower.start(console)
    try:
        address = platform.environment["FLOWER_URL"]
        login = b64encode(platform.environment["FLOWER_BASIC_AUTH"].encode()).decode()

        def ask(path: str, **headers: str) -> Any:
            with urlopen(Request(address + path, headers=headers), timeout=10) as reply:
                return json.loads(reply.read())

        wait_for(lambda: answers(f"{address}/healthcheck"), 40)
        for page in ("/", "/workers", "/api/workers", "/api/tasks"):
            with pytest.raises(HTTPError, match="401"):
                ask(page)
        alice = User.registered(platform.base, "carol")
        made = alice.make_pipeline(alice.make_workspace("Flower", repository.url), pipeline(stage("build", "true")))
        job_id = alice.start(made)["job_id"]

        def seen() -> list[tuple[str, str]]:
            tasks = ask("/api/tasks", Authorization=f"Basic {login}").items()
            return [(name, task["name"]) for name, task in tasks if task["state"] == "SUCCESS"]

        wait_for(lambda: (f"{job_id}.1", "pipelines.execute") in seen(), 40)
        wait_for(lambda: "pipelines.run_stage" in [name for _, name in seen()], 40)
        workers = ask("/api/workers?refresh=1", Authorization=f"Basic {login}")
        assert {name.partition("@")[0] for name in workers} == {"ci", "interactive", "default"}
    finally:
        flower.kill()
        flower._log.close()
