"""The line of the log that each request leaves."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.context import known
from tests.support import toy_room


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="app.http.access")
    return caplog


def written(lines: pytest.LogCaptureFixture) -> dict[str, Any]:
    (record,) = [record for record in lines.records if record.name == "app.http.access"]
    assert record.getMessage() == "answered"
    return vars(record)


def test_it_names_the_route_the_outcome_and_the_caller(
    alice: FlaskClient, gadget: Any, lines: pytest.LogCaptureFixture
) -> None:
    reply = alice.get(f"/api/v1/gadgets/{gadget.id}", headers={"X-Request-ID": "walk-7"})
    line = written(lines)
    assert reply.status_code == 200
    assert (line["method"], line["route"], line["status"]) == ("GET", "/api/v1/gadgets/<uuid:gadget_id>", 200)
    assert line["ms"] > 0
    assert line["caller_id"] == toy_room.CALLERS["alice"].user_id
    assert line["gadget_id"] == gadget.id


def test_it_tells_nothing_of_the_query(alice: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
    alice.get("/api/v1/gadgets?search=hunter2&token=hunter2")
    assert "hunter2" not in repr(written(lines))


def test_refused_callers_and_unknown_paths_leave_one_too(anyone: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
    assert anyone.get("/api/v1/nothing/hunter2").status_code == 404
    line = written(lines)
    assert (line["route"], line["status"], "caller_id" in line) == ("(none)", 404, False)
    assert "hunter2" not in repr(line)


def test_probes_leave_none(anyone: FlaskClient, lines: pytest.LogCaptureFixture) -> None:
    anyone.get("/health/live")
    anyone.get("/metrics")
    assert lines.records == []


def test_a_request_is_known_while_it_is_answered_and_not_after(
    toy: Flask, anyone: FlaskClient, lines: pytest.LogCaptureFixture
) -> None:
    seen: list[dict[str, Any]] = []

    class Watching(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(dict(known()))

    watching = Watching()
    logging.getLogger("app.http.access").addHandler(watching)
    anyone.get("/api/v1/gadgets", headers={"X-Request-ID": "walk-8"})
    logging.getLogger("app.http.access").removeHandler(watching)
    assert seen == [{"request_id": "walk-8"}]
    assert known() == {}
