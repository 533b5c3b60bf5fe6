"""The API refuses definitions with images where the installation has no container engine, else it takes them."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.identity import Person, data_of

AT = "/api/v1/pipelines/validate"
BOXED = """\
name: boxed
stages:
  - name: test
    image: python:3.12
    services: [{name: db, image: "postgres:16"}]
    steps: [{name: run, run: "true"}]
"""


def test_without_an_engine_images_are_refused_at_their_lines(client: FlaskClient, alice: Person) -> None:
    refused = data_of(client.post(AT, data=BOXED, content_type="application/yaml", headers=alice.headers))
    places = {fault["path"]: fault["line"] for fault in refused["faults"]}
    assert places == {"stages[0].image": 4, "stages[0].services[0].image": 5}
    assert all("needs a container sandbox" in fault["message"] for fault in refused["faults"])


def test_with_an_engine_they_are_taken(
    app: Flask, client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "container_engine", "unix:///run/engine.sock")
    taken = data_of(client.post(AT, data=BOXED, content_type="application/yaml", headers=alice.headers))
    assert (taken["valid"], taken["stages"]) == (True, ["test"])
