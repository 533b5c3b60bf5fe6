"""Pipelines whose steps run in pods of their workspace's namespace, on a server whose pods really run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.pipelines import LogReader
from app.tenancy import Workspace
from config.settings import Settings
from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tasks.pipelines.sweep import sweep
from tests.support.containers.image import IMAGE
from tests.support.containers.pods import LOOPBACK, pods_running
from tests.support.identity import Person, error_of
from tests.support.kubernetes import ApiServer
from tests.support.pipelines import Engine, Seen, make_tools, pipeline, stage, step
from tests.support.places import make_cluster
from tests.support.sandboxes import choose_sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(choose_sandbox("auto").name != "bubblewrap", reason="the pods of the tests need bubblewrap"),
]
NAMESPACE = "ws-shop"


@dataclass
class World:
    """An engine of pipelines, and the cluster of its workspace."""

    engine: Engine
    server: ApiServer
    cluster: RestCluster

    def log_of(self, seen: Seen, name: str) -> list[str]:
        """Return all lines of a step's log, the platform's own too."""
        page = LogReader(self.engine.database, self.engine.tools.log_store).read(seen.steps[name].id, None, 0, 1000)
        return [line.message for line in page.lines]

    def pods(self) -> list[Any]:
        """The pods that nobody has asked to go."""
        found = self.cluster.list_page(kinds.POD, NAMESPACE).items
        return [one for one in found if not one["metadata"].get("deletionTimestamp")]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """A cluster on which pods run, with the namespace of a workspace."""
    with pods_running() as server:
        cluster = RestCluster(server.access(), rules=LOOPBACK)
        cluster.create(kinds.NAMESPACE, {"metadata": {"name": NAMESPACE}})
        cluster.close()
        server.controllers.settle()
        yield server


@pytest.fixture
def world(
    app: Flask, settings: Settings, engine_of_alice: Engine, alice: Person, server: ApiServer, tmp_path: Path
) -> Iterator[World]:
    """Alice's workspace with a place on the cluster."""
    given = {"container_engine": "kubernetes", "kubernetes_helper_image": IMAGE, "allow_loopback_clusters": True}
    tools = make_tools(settings, tmp_path / "data", **given)
    database, workspace = engine_of_alice.database, engine_of_alice.workspace
    cluster_id = make_cluster(app, database, alice, server.access())
    with database.transaction() as session:
        place = {"host_id": cluster_id, "isolation": "namespace", "namespace": NAMESPACE}
        session.execute(update(Workspace).where(Workspace.id == workspace.id).values(**place))
    cluster = RestCluster(server.access(), rules=LOOPBACK)
    yield World(Engine(database, tools, workspace), server, cluster)
    cluster.close()


def test_a_stage_runs_in_a_pod_with_its_checkout_services_and_artifacts(world: World) -> None:
    service = {"name": "db", "image": IMAGE, "command": ["/usr/bin/sleep", "60"]}
    seen = world.engine.run(
        pipeline(
            stage(
                "test",
                step("plain", "cat README.md > given"),
                step("boxed", 'cat given; pwd; echo "$WORKSPACE" > kept; test -z "$STEP_SECRET"', image=IMAGE),
                step("between", "cat kept; echo here >> kept"),
                step("again", "cat kept", image=IMAGE),
                artifacts=["kept"],
                network=False,
                services=[service],
            )
        )
    )
    assert seen.step_statuses == dict.fromkeys(seen.step_statuses, "succeeded"), world.log_of(seen, "test/boxed")
    assert world.engine.text_of(seen.steps["test/boxed"]) == ["A shop.", "/workspace"]
    assert world.engine.text_of(seen.steps["test/again"]) == ["/workspace", "here"]
    assert seen.steps["test/boxed"].sandbox == "kubernetes+limits"
    assert world.engine.artifacts(seen.execution.id) == {"test/kept": b"/workspace\nhere\n"}
    assert any("The service db was ready" in line for line in world.log_of(seen, "test/boxed"))
    assert world.pods() == []


def test_a_step_that_fails_fails_its_stage_with_its_exit_code(world: World) -> None:
    seen = world.engine.run(pipeline(stage("test", step("boxed", "exit 7", image=IMAGE), network=False)))
    assert seen.statuses == {"test": "failed"}
    assert seen.steps["test/boxed"].exit_code == 7


def test_steps_at_once_with_and_without_an_image_are_refused(
    committing_engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    committing_engine.tools = make_tools(settings, tmp_path, container_engine="kubernetes")
    steps = [step("boxed", image=IMAGE), step("plain")]
    seen = committing_engine.run(pipeline(stage("test", *steps, parallel=True)))
    assert seen.step_statuses == {"test/boxed": "failed", "test/plain": "failed"}
    assert "no common disk" in seen.steps["test/boxed"].reason


def test_a_workspace_without_a_place_fails_the_stage_and_is_refused_at_the_start(
    world: World, app: Flask, client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {"host_id": None, "isolation": None, "namespace": None}
    with world.engine.database.transaction() as session:
        session.execute(update(Workspace).where(Workspace.id == world.engine.workspace.id).values(**nowhere))
    seen = world.engine.run(pipeline(stage("test", step("boxed", image=IMAGE))))
    assert "The workspace has no place on a cluster." in seen.steps["test/boxed"].reason
    monkeypatch.setattr(app.extensions["headrace"], "container_engine", "kubernetes")
    path = f"/api/v1/pipelines/{seen.execution.pipeline_id}/executions"
    refused = error_of(client.post(path, json={}, headers=alice.headers), 409)
    assert refused["code"] == "WORKSPACE_NOT_READY"


def test_a_cluster_that_is_away_is_tried_again_later(world: World) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    world.server.faults.add("answer", method="POST", path=path, status=503)
    execution_id = world.engine.start(pipeline(stage("test", step("boxed", image=IMAGE), network=False)))
    world.engine.drain()
    assert world.engine.look(execution_id).statuses == {"test": "running"}
    world.server.faults.clear()
    world.engine.make_due()
    world.engine.drain()
    assert world.engine.look(execution_id).statuses == {"test": "succeeded"}


def test_a_pod_of_a_job_that_runs_no_more_is_swept(world: World) -> None:
    seen = world.engine.run(pipeline(stage("test", step("boxed", image=IMAGE), network=False)))
    left = world.server.kubelet.specs[-1] if world.server.kubelet else {}
    meta = {"name": "left", "namespace": NAMESPACE, "labels": left["metadata"]["labels"]}
    world.cluster.create(kinds.POD, {"metadata": meta, "spec": {"containers": [{"name": "a", "image": IMAGE}]}})
    tools = world.engine.tools
    assert tools.containers is not None
    assert sweep(world.engine.database, tools.containers, tools.vault) == 1
    assert world.pods() == []
    assert seen.statuses == {"test": "succeeded"}
