"""Each intent has one deed, survives JSON, and waits in a queue that some process reads."""

from __future__ import annotations

import dataclasses
import re
from uuid import UUID

import pytest

import tasks.every
from app.kernel.ids import new_id
from app.kernel.intents import INTENTS, Intent
from config.queues import QUEUES
from tasks.handling import HANDLERS
from tests.architecture.source import ROOT
from workers.beat import PERIODS

ALL = sorted(INTENTS.items())


def test_every_intent_has_exactly_one_deed() -> None:
    assert tasks.every
    assert set(HANDLERS) == set(INTENTS)


@pytest.mark.parametrize(("kind", "intent"), ALL)
def test_an_intent_survives_json(kind: str, intent: type[Intent]) -> None:
    fields = {field.name: new_id() if field.type in ("UUID", UUID) else "text" for field in dataclasses.fields(intent)}
    made = intent(**fields)
    assert intent.from_json(made.to_json()) == made


@pytest.mark.parametrize(("kind", "intent"), ALL)
def test_an_intent_names_a_declared_queue(kind: str, intent: type[Intent]) -> None:
    assert intent.queue in QUEUES


def test_every_queue_is_read_by_a_line_of_the_procfile() -> None:
    procfile = (ROOT / "Procfile").read_text()
    read = {queue for group in re.findall(r"--queues[= ](\S+)", procfile) for queue in group.split(",")}
    assert read == set(QUEUES)


def test_what_is_periodic_is_an_intent_without_fields() -> None:
    assert all(dataclasses.fields(INTENTS[kind]) == () for kind in PERIODS)


def test_work_that_somebody_waits_for_has_workers_of_its_own() -> None:
    lines = re.findall(r"--queues[= ](\S+)", (ROOT / "Procfile").read_text())
    assert "interactive" in lines
