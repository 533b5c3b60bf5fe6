"""Badges: what they show, and to whom."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from app.kernel.ids import new_id
from app.pipelines.badges import COLORS, draw_badge
from app.pipelines.settings import write_settings
from tests.support.identity import Person, data_of, error_of, make_person
from tests.support.pipelines import Engine, pipeline, stage

API = "/api/v1"


@pytest.mark.parametrize("status", [*COLORS, None, "<script>"])
@pytest.mark.parametrize("label", ["shop", "x" * 100, '</text><script>alert("1")</script>&amp;', "größe"])
def test_a_badge_is_a_picture_and_nothing_else(label: str, status: str | None) -> None:
    drawn = draw_badge(label, status)
    root = ET.fromstring(drawn)  # noqa: S314 - made a line above
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "title", "rect", "g", "text"}
    assert len(drawn) < 1500


@pytest.fixture
def made(client: FlaskClient, alice: Person, engine_of_alice: Engine) -> str:
    """The path of a pipeline's badge."""
    path = f"{API}/workspaces/{engine_of_alice.workspace.id}/pipelines"
    body = pipeline(stage("a", "test $BRANCH = main"), name="web & shop")
    return f"{API}/pipelines/{data_of(client.post(path, json=body, headers=alice.headers), 201)['id']}"


def publish(engine: Engine) -> None:
    with engine.database.transaction() as session:
        write_settings(session, engine.workspace, {"badge_public": True})


def run(client: FlaskClient, alice: Person, engine: Engine, made: str, **body: Any) -> None:
    data_of(client.post(f"{made}/executions", json=body, headers=alice.headers), 202)
    engine.drain()


def test_a_badge_shows_how_the_newest_run_of_a_branch_ended(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, made: str
) -> None:
    badge = f"{made}/badge.svg"
    assert "no runs" in client.get(badge, headers=alice.headers).text
    data_of(client.post(f"{made}/executions", json={}, headers=alice.headers), 202)
    assert "queued" in client.get(badge, headers=alice.headers).text
    engine_of_alice.drain()
    run(client, alice, engine_of_alice, made, branch="gone")
    reply = client.get(badge, headers=alice.headers)
    assert reply.mimetype == "image/svg+xml"
    assert "web &amp; shop: passing" in reply.text
    assert "failing" in client.get(f"{badge}?branch=gone", headers=alice.headers).text
    assert "no runs" in client.get(f"{badge}?branch=other", headers=alice.headers).text
    error_of(client.get(f"{badge}?branch=a..b^", headers=alice.headers), 422)


def test_a_badge_is_private_until_the_workspace_says_otherwise(
    app: Flask, client: FlaskClient, database: Database, engine_of_alice: Engine, made: str
) -> None:
    badge = f"{made}/badge.svg"
    charlie = make_person(app, database, "charlie")
    unknown = error_of(client.get(f"{API}/pipelines/{new_id()}/badge.svg"), 404)
    for headers in ({}, charlie.headers):
        refused = error_of(client.get(badge, headers=headers), 404)
        assert (refused["code"], refused["message"]) == (unknown["code"], unknown["message"])
    error_of(client.get(badge, headers={"Authorization": "Bearer nonsense"}), 401)
    publish(engine_of_alice)
    assert client.get(badge).status_code == 200


def test_a_public_badge_can_be_shown_elsewhere_and_kept_for_a_minute(
    client: FlaskClient, alice: Person, engine_of_alice: Engine, made: str
) -> None:
    badge = f"{made}/badge.svg"
    assert client.get(badge, headers=alice.headers).headers["Cache-Control"] == "private, max-age=60"
    publish(engine_of_alice)
    reply = client.get(badge, headers={"Accept": "image/avif,image/webp,image/*"})
    assert reply.headers["Cache-Control"] == "public, max-age=60"
    assert reply.headers.getlist("Cross-Origin-Resource-Policy") == ["cross-origin"]
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    again = client.get(badge, headers={"If-None-Match": reply.headers["ETag"]})
    assert again.status_code == 304
