"""A disk that is full for logs: the work waits for room, and where none comes it fails by that name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kernel.db import Database
from config.settings import Settings
from tasks import patience
from tests.faults.disk import LogDisk
from tests.support.identity import Person
from tests.support.pipelines import Engine, make_tools, pipeline, stage
from tests.support.repositories import Repository
from tests.support.tenancy import make_workspace

pytestmark = pytest.mark.slow

ONE = pipeline(stage("a", "for i in $(seq 50); do echo line $i; done"))
SAID = [f"line {number}" for number in range(1, 51)]
ATTEMPTS = 3


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LogDisk]:
    with LogDisk.opened(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def cramped(settings: Settings, database: Database, alice: Person, shop: Repository, disk: LogDisk) -> Engine:
    """An engine whose logs are kept on that disk."""
    workspace = make_workspace(database, alice, repository_url=shop.url)
    return Engine(database, make_tools(settings, settings.data_dir, log_store_url=disk.url), workspace)


def test_a_step_waits_until_there_is_room_for_its_log(cramped: Engine, disk: LogDisk) -> None:
    disk.fill()
    threading.Timer(1.5, disk.free).start()
    seen = cramped.run(ONE)
    assert (seen.execution.status, seen.steps["a/run"].attempt) == ("succeeded", 1)
    assert cramped.text_of(seen.steps["a/run"]) == SAID


def test_where_no_room_comes_the_stage_fails_by_that_name_and_can_be_tried_again(
    cramped: Engine, disk: LogDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PATIENCE", 0.0)
    disk.fill()
    execution_id = cramped.start(ONE)
    for _ in range(ATTEMPTS + 1):
        cramped.make_due()
        cramped.drain()
    seen = cramped.look(execution_id)
    assert seen.execution.status == "failed"
    assert seen.stages["a"].error is not None
    assert seen.stages["a"].error["code"] == "STORE_UNAVAILABLE"
    disk.free()
    cramped.retry(execution_id)
    cramped.drain()
    seen = cramped.look(execution_id)
    assert (seen.execution.status, cramped.text_of(seen.steps["a/run"])) == ("succeeded", SAID)
