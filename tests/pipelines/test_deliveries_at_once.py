"""One delivery that comes several times at once, over connections of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.kernel.db import Database
from app.kernel.principal import Principal
from app.pipelines import Execution
from app.pipelines.definition import parse
from app.pipelines.incoming import Delivery, executions_of, take_delivery
from app.pipelines.models import WebhookDelivery
from app.pipelines.service import Source, create_pipeline
from app.tenancy import Workspace
from config.settings import Settings
from tests.support.committing import committing_database
from tests.support.deliveries import ALL, parsed
from tests.support.identity import make_person
from tests.support.pipelines import pipeline, stage
from tests.support.tenancy import make_workspace

TIMES = 6


@pytest.fixture
def committed(settings: Settings) -> Iterator[Database]:
    with committing_database(settings) as database:
        yield database


@pytest.fixture
def workspaces(app: Flask, committed: Database) -> list[Workspace]:
    """Two workspaces of one repository, each with two pipelines that start for it."""
    dora = make_person(app, committed, "dora")
    made = [make_workspace(committed, dora, name, repository_url="https://github.com/a/b") for name in ("One", "Two")]
    for workspace in made:
        for name in ("a", "b"):
            text = json.dumps(pipeline(stage("s"), name=name, triggers=ALL))
            with committed.transaction() as session:
                caller = Principal(dora.user.id, "dora")
                create_pipeline(session, workspace, Source(parse(text, "json"), text, "json"), caller)
    return made


@pytest.mark.parametrize("same_id", [True, False])
def test_only_one_of_them_starts_anything(committed: Database, workspaces: list[Workspace], same_id: bool) -> None:
    ids = [workspace.id for workspace in workspaces]

    def take(number: int) -> list[str]:
        name = "d1" if same_id else f"d{number}"
        order = ids if number % 2 else ids[::-1]
        with committed.transaction() as session:
            return executions_of(
                take_delivery(session, order, Delivery("github", name, "0" * 64, parsed("github_push")))
            )

    with ThreadPoolExecutor(TIMES) as pool:
        answers = list(pool.map(take, range(TIMES)))
    assert len(answers[0]) == 4
    assert {tuple(sorted(answer)) for answer in answers} == {tuple(sorted(answers[0]))}
    with committed.transaction() as session:
        assert session.scalars(select(func.count(Execution.id))).one() == 4
        assert session.scalars(select(WebhookDelivery.redelivered)).all() == [TIMES - 1] * 2
