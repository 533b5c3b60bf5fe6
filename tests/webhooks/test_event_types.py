"""The types of events: all that are announced are listed, with a schema that their examples keep."""

from __future__ import annotations

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.events import EVENTS
from app.webhooks.catalogue import find_pattern_fault, list_types, matches, passes
from tests.architecture.source import files
from tests.support.clients import make_client
from tests.support.identity import Person, data_of

PROMISED = {
    *("organization.created", "workspace.created", "workspace.status_changed", "workspace.deleted"),
    *("project.created", "project.deleted", "pipeline.created", "execution.started", "execution.finished"),
    *("room.created", "room.updated", "room.deleted", "room.joined", "room.left"),
    *("message.created", "message.updated", "message.deleted", "message.restored"),
    *("cluster.created", "cluster.updated", "cluster.deleted", "cluster.health_changed", "client.updated"),
    *("alert.triggered", "alert.resolved", "anomaly.detected", "problem.opened", "problem.resolved"),
    *("recommendation.created", "notification.sent", "notification.delivered", "notification.failed"),
    *("notification.bounced", "notification.message", "webhook.disabled", "webhook.digest"),
}


def test_all_types_are_listed_with_schema_and_example(client: FlaskClient, alice: Person) -> None:
    listed = data_of(client.get("/api/v1/event-types", headers=alice.headers))
    assert [one["type"] for one in listed] == sorted(EVENTS)
    assert set(EVENTS) >= PROMISED
    for one in listed:
        jsonschema.Draft202012Validator.check_schema(one["schema"])
        jsonschema.validate(one["example"], one["schema"], format_checker=jsonschema.FormatChecker())
        assert one["example"]["type"] == one["type"]
        assert one["description"]


def test_an_application_reads_them_too(client: FlaskClient) -> None:
    assert data_of(client.get("/api/v1/event-types", headers=make_client(client).headers))


def test_every_class_of_events_is_among_them(app: Flask) -> None:
    said = {
        line.split('"')[1]
        for path in files("app", "tasks")
        for line in path.read_text().splitlines()
        if line.strip().startswith("type: ClassVar[str] = ")
    }
    assert said == {one.type for one in list_types()}


@pytest.mark.parametrize(
    ("patterns", "event_type", "does"),
    [
        (["*"], "cluster.created", True),
        (["cluster.*"], "cluster.created", True),
        (["cluster.*"], "clusters.created", False),
        (["cluster.created"], "cluster.created", True),
        (["cluster.created"], "cluster.created_again", False),
        (["workspace.*", "cluster.deleted"], "cluster.created", False),
    ],
)
def test_patterns_match(patterns: list[str], event_type: str, does: bool) -> None:
    assert matches(patterns, event_type) is does


def test_patterns_that_match_nothing_are_told() -> None:
    assert find_pattern_fault("cluster.health_changed") is None
    assert find_pattern_fault("message.created") is None
    assert "matches no event" in str(find_pattern_fault("cluster.exploded"))
    assert "names nothing" in str(find_pattern_fault("mill.turned"))


def test_filters_hold_back_what_names_something_else() -> None:
    filters = {"workspace_id": ["a"], "room_id": ["r"]}
    assert passes(filters, {"workspace_id": "a"})
    assert passes(filters, {"name": "x"})
    assert not passes(filters, {"workspace_id": "b"})
    assert not passes(filters, {"workspace_id": "a", "room_id": "s"})
