"""Alice, her workspace and an engine, as tests of pipelines have them; her runner, and a stage that waits for it."""

from __future__ import annotations

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from tests.pipelines.conftest import alice, engine_of_alice, shop
from tests.support.identity import Person
from tests.support.pipelines import Engine, pipeline
from tests.support.runners import ELSEWHERE, HandRunner

__all__ = ["alice", "engine_of_alice", "shop"]


@pytest.fixture
def runner(client: FlaskClient, alice: Person) -> HandRunner:
    return HandRunner.registered(client, alice, "gpu", "linux", "x86_64")


@pytest.fixture
def started(engine_of_alice: Engine) -> UUID:
    """An execution whose one stage waits for a runner."""
    execution_id = engine_of_alice.start(pipeline(ELSEWHERE))
    engine_of_alice.drain()
    return execution_id
