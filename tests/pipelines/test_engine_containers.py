"""Pipelines whose steps run in containers, on an engine that speaks the real API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.kernel.db import Database
from app.pipelines import LogReader
from config.settings import Settings
from tests.support.containers.benches import let_others_pass
from tests.support.containers.docker_api import DockerApi, serving
from tests.support.containers.image import IMAGE
from tests.support.containers.stages import needs_bubblewrap
from tests.support.identity import Person
from tests.support.pipelines import Engine, Seen, make_tools, pipeline, stage, step
from tests.support.repositories import Repository
from tests.support.tenancy import make_workspace

pytestmark = needs_bubblewrap
SLEEPER = {"image": IMAGE, "command": ["/usr/bin/sleep", "60"]}


@dataclass
class World:
    """An engine of pipelines and the engine of its containers."""

    api: DockerApi
    engine: Engine

    def log_of(self, seen: Seen, name: str) -> list[str]:
        """Return all lines of a step's log, the platform's own too."""
        page = LogReader(self.engine.database, self.engine.tools.log_store).read(seen.steps[name].id, None, 0, 1000)
        return [line.message for line in page.lines]


@pytest.fixture
def world(settings: Settings, database: Database, alice: Person, shop: Repository, tmp_path: Path) -> Iterator[World]:
    """One installation with a container engine that has the image of the tests."""
    folder = tmp_path / "engine"
    folder.mkdir()
    let_others_pass(tmp_path)
    with serving(folder, images={IMAGE}) as api:
        given = {"container_engine": api.address, "container_pull": "never", "sandbox_read_only": "/usr"}
        tools = make_tools(settings, tmp_path / "data", **given)
        yield World(api, Engine(database, tools, make_workspace(database, alice, repository_url=shop.url)))


def test_steps_in_images_share_the_checkout_with_those_without(world: World) -> None:
    seen = world.engine.run(
        pipeline(
            stage(
                "test",
                step("plain", "cat README.md > given"),
                step("boxed", 'cat given; pwd; echo "$WORKSPACE" > kept; test -z "$STEP_SECRET"', image=IMAGE),
                step("after", "cat kept"),
                artifacts=["kept"],
            )
        )
    )
    assert seen.statuses == {"test": "succeeded"}
    assert world.engine.text_of(seen.steps["test/boxed"]) == ["A shop.", "/workspace"]
    assert world.engine.text_of(seen.steps["test/after"]) == ["/workspace"]
    assert seen.steps["test/boxed"].sandbox.startswith("docker+")
    assert world.engine.artifacts(seen.execution.id) == {"test/kept": b"/workspace\n"}


def test_the_image_may_come_from_the_matrix(world: World) -> None:
    name, _, tag = IMAGE.partition(":")
    seen = world.engine.run(
        pipeline(stage("test", "true", image=f"{name}:${{matrix.tag}}", matrix={"tag": [tag, "other"]}))
    )
    assert seen.statuses == {f"test ({tag})": "succeeded", "test (other)": "failed"}
    assert "headrace-test:other is not here" in seen.steps["test (other)/run"].reason


def test_services_are_there_for_the_steps_and_gone_after_them(world: World) -> None:
    seen = world.engine.run(
        pipeline(
            stage(
                "test", step("use", "grep ' db$' /etc/hosts || true", image=IMAGE), services=[{"name": "db", **SLEEPER}]
            )
        )
    )
    assert seen.statuses == {"test": "succeeded"}
    assert any("The service db was ready" in line for line in world.log_of(seen, "test/use"))
    assert (world.api.containers, world.api.networks) == ({}, {})


def test_a_service_that_fails_fails_the_step_and_its_last_lines_are_in_the_log(world: World) -> None:
    broken = {"name": "db", "image": IMAGE, "command": ["/bin/sh", "-c", "echo no password; exit 1"], "ready": "false"}
    seen = world.engine.run(
        pipeline(stage("test", step("use", image=IMAGE), step("tidy", when="always"), services=[broken]))
    )
    assert seen.step_statuses == {"test/use": "failed", "test/tidy": "succeeded"}
    assert "The service db ended with exit code 1." in seen.steps["test/use"].reason
    assert "db: no password" in world.log_of(seen, "test/use")
    assert (world.api.containers, world.api.networks) == ({}, {})


def test_an_installation_may_run_every_step_in_an_image(settings: Settings, world: World, tmp_path: Path) -> None:
    given = {"container_engine": world.api.address, "container_image": IMAGE, "sandbox_read_only": "/usr"}
    world.engine.tools = make_tools(settings, tmp_path / "data", **given)
    seen = world.engine.run(pipeline(stage("test", "true")))
    assert seen.steps["test/run"].sandbox.startswith("docker+")


def test_a_step_with_an_image_fails_where_there_is_no_engine(engine_of_alice: Engine) -> None:
    seen = engine_of_alice.run(pipeline(stage("test", step("boxed", image=IMAGE))))
    assert seen.step_statuses == {"test/boxed": "failed"}
    assert "no container sandbox" in seen.steps["test/boxed"].reason


def test_an_engine_that_is_away_is_tried_again_later(world: World) -> None:
    world.api.failing["POST /containers/create"] = (503, "shutting down")
    execution_id = world.engine.start(pipeline(stage("test", step("boxed", image=IMAGE))))
    world.engine.drain()
    assert world.engine.look(execution_id).statuses == {"test": "running"}
    world.api.failing.clear()
    world.engine.make_due()
    world.engine.drain()
    assert world.engine.look(execution_id).statuses == {"test": "succeeded"}
