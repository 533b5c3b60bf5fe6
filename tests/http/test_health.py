"""Health, metrics, changelog: what operators look at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from app.http import Check, Finding, Platform
from app.kernel.db import Database
from launcher.ports import free_port
from tests.support.limits import away_limiter


def statuses(reply: object) -> dict[str, str]:
    return {check["name"]: check["status"] for check in reply["checks"]}  # type: ignore[index]


def test_health_tells_how_each_part_is(anyone: FlaskClient):
    found = anyone.get("/health").json["data"]
    assert found["status"] == "degraded"
    assert statuses(found) == {"database": "healthy", "redis": "healthy", "streams": "degraded"}
    assert found["uptime_seconds"] > 0
    assert all(check["duration_ms"] >= 0 and check["message"] for check in found["checks"])


def test_without_redis_the_platform_is_degraded_and_says_what_follows(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parts, "limiter", away_limiter())
    reply = anyone.get("/health")
    assert reply.status_code == 200
    check = next(check for check in reply.json["data"]["checks"] if check["name"] == "redis")
    assert check["status"] == "degraded"
    assert "not limited" in check["message"] or "nothing is limited" in check["message"]


def test_without_the_database_the_platform_cannot_serve(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
):
    nowhere = create_engine(f"postgresql+psycopg://x:y@127.0.0.1:{free_port()}/z", connect_args={"connect_timeout": 1})
    monkeypatch.setattr(parts, "database", Database(nowhere))
    for path in ("/health", "/health/ready"):
        reply = anyone.get(path)
        assert (reply.status_code, reply.json["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert statuses(reply.json["error"]["details"])["database"] == "unhealthy"
        assert b"127.0.0.1" not in reply.data
    assert anyone.get("/health/live").status_code == 200


def test_ready_asks_only_what_is_vital(anyone: FlaskClient):
    assert statuses(anyone.get("/health/ready").json["data"]) == {"database": "healthy"}


def test_rooms_add_checks_of_their_own_and_a_failing_look_is_a_finding(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
):
    added = [Check("mill", lambda: Finding("healthy", "It turns.")), Check("weir", lambda: 1 / 0)]  # type: ignore[list-item, return-value]
    monkeypatch.setattr(parts, "checks", [*parts.checks, *added])
    found = anyone.get("/health").json["data"]
    assert statuses(found)["mill"] == "healthy"
    assert found["checks"][-1]["message"] == "The look failed: ZeroDivisionError."


def test_metrics_count_requests_by_route_and_not_by_path(anyone: FlaskClient):
    for number in range(3):
        anyone.get(f"/api/v1/failures/{number}")
        anyone.get(f"/nothing/{number}")
    lines = anyone.get("/metrics").text.splitlines()
    counted = [line for line in lines if line.startswith("headrace_http_requests_total{")]
    assert any('route="/api/v1/failures/<kind>"' in line and 'status="500"' in line for line in counted)
    assert any('route="(none)"' in line and 'status="404"' in line for line in counted)
    assert not any("/nothing/" in line for line in counted)


def test_rooms_add_gauges_that_are_read_when_asked(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch
):
    def water(session: Session) -> Iterable[Metric]:
        yield GaugeMetricFamily("headrace_water_metres", "How high", session.execute(text("SELECT 2.5")).scalar_one())

    monkeypatch.setattr(parts, "gauges", [water])
    assert "headrace_water_metres 2.5" in anyone.get("/metrics").text


CHANGELOG = """# Changelog

## [0.2.0] - 2026-12-01

### Added
- A second wheel,
  which turns the other way
- A weir

## [0.1.0]
- The mill
"""


def test_the_changelog_is_read_from_its_file(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    monkeypatch.setattr(parts, "changelog", tmp_path / "CHANGELOG.md")
    assert anyone.get("/api/v1/changelog").json["data"] == [
        {
            "version": "0.2.0",
            "date": "2026-12-01",
            "changes": ["A second wheel, which turns the other way", "A weir"],
        },
        {"version": "0.1.0", "date": None, "changes": ["The mill"]},
    ]


def test_without_a_changelog_nothing_changed(
    anyone: FlaskClient, parts: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(parts, "changelog", tmp_path / "none")
    assert anyone.get("/api/v1/changelog").json["data"] == []
