"""Metrics are read: over time, by queries, and in sum."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.monitoring import reading
from tests.support.identity import Person, error_of
from tests.support.metrics import get, series, write

START = 1767225600.0
QUERY = "/api/v1/metrics/query"
CHART = "/api/v1/metrics/timeseries"


@pytest.fixture
def counters(client: FlaskClient, alice: Person) -> None:
    """Two pods that count requests, one twice as fast as the other."""
    steps = range(0, 3601, 30)
    for pod, pace in (("a", 1.0), ("b", 2.0)):
        write(client, alice, series("requests_total", [[START + at, at * pace] for at in steps], pod=pod, job="api"))


@pytest.mark.usefixtures("counters")
def test_a_query_over_time_and_at_one_moment(client: FlaskClient, alice: Person) -> None:
    asked = {"query": "sum by (job) (rate(requests_total[5m]))", "start": START + 600, "end": START + 1200}
    told = get(client, alice, "/metrics/query", step="5m", **asked)
    assert (told["result_type"], told["step"]) == ("matrix", 300.0)
    assert [line["labels"] for line in told["result"]] == [{"job": "api"}]
    points = told["result"][0]["points"]
    assert [at for at, _ in points] == [START + 600, START + 900, START + 1200]
    assert [value for _, value in points] == pytest.approx([3.0, 3.0, 3.0])
    told = get(client, alice, "/metrics/query", query='requests_total{pod=~"a|c"}', time="2026-01-01T00:10:00Z")
    assert told["result_type"] == "vector"
    labels = {"__name__": "requests_total", "pod": "a", "job": "api"}
    assert told["result"] == [{"labels": labels, "points": [[START + 600, 600.0]]}]


@pytest.mark.usefixtures("counters")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('requests_total{pod="a"}', 1),
        ('requests_total{pod!="a"}', 1),
        ('requests_total{pod=~"[ab]"}', 2),
        ('requests_total{pod!~".*"}', 0),
        ('requests_total{zone=""}', 2),
        ('{job="api"}', 2),
        ('{__name__=~"requests.*",pod="b"}', 1),
        ('{"requests_total"}', 2),
    ],
)
def test_matchers_choose_series(client: FlaskClient, alice: Person, query: str, found: int) -> None:
    assert len(get(client, alice, "/metrics/query", query=query, time=START + 60)["result"]) == found


@pytest.mark.usefixtures("counters")
def test_a_chart_takes_the_resolution_that_suits(client: FlaskClient, alice: Person) -> None:
    asked: dict[str, Any] = {"name": "requests_total", "labels": "pod=a", "end": START + 3600}
    shown = get(client, alice, "/metrics/timeseries", start=START, **asked)
    assert (shown["resolution"], shown["total_points"]) == ("raw", 121)
    shown = get(client, alice, "/metrics/timeseries", period="24h", **asked)
    assert (shown["resolution"], shown["total_points"]) == ("5m", 13)
    assert get(client, alice, "/metrics/timeseries", period="30d", **asked)["resolution"] == "1h"
    shown = get(client, alice, "/metrics/timeseries", start=START, resolution="1h", statistic="max", **asked)
    assert shown["series"][0]["points"] == [[START, 3570.0], [START + 3600, 3600.0]]


@pytest.mark.usefixtures("counters")
def test_the_summary_counts(client: FlaskClient, alice: Person) -> None:
    told = get(client, alice, "/metrics/summary")
    assert (told["series"], told["samples"], told["metrics"], told["series_limit"]) == (2, 242, 1, 50_000)
    assert told["top"] == [{"name": "requests_total", "series": 2, "samples": 242}]


@pytest.mark.parametrize(
    ("path", "asked", "field"),
    [
        (QUERY, {"query": "cpu["}, "query"),
        (QUERY, {"query": "cpu", "start": 10, "end": 5}, "end"),
        (QUERY, {"query": "cpu", "start": START, "end": START + 86_400, "step": "1s"}, None),
        (QUERY, {"query": "cpu", "step": "fast"}, "step"),
        (QUERY, {"query": "cpu", "step": "-1"}, "step"),
        (QUERY, {"query": "cpu", "time": "yesterday"}, "time"),
        (QUERY, {"query": '{pod=~".*"}'}, "query"),
        (QUERY, {"query": 'm{pod=~"(?P<name>a)"}'}, "query"),
        (CHART, {}, "name"),
        (CHART, {"name": "m", "labels": "pod"}, "labels"),
        (CHART, {"name": "m", "resolution": "2m"}, "resolution"),
        (CHART, {"name": "m", "start": START, "period": "1h"}, "period"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    client: FlaskClient, alice: Person, path: str, asked: Any, field: str | None
) -> None:
    error = error_of(client.get(path, query_string=asked, headers=alice.headers), 422)
    assert error["code"] == "VALIDATION_ERROR"
    assert [one["field"] for one in error.get("errors", ())] == ([field] if field else [])


@pytest.mark.usefixtures("counters")
def test_a_query_that_reads_too_much_is_refused_with_the_limit(
    client: FlaskClient, alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_READ", 100)
    asked = {"query": "rate(requests_total[1h])", "time": START + 3600}
    error = error_of(client.get(QUERY, query_string=asked, headers=alice.headers), 422)
    assert error["details"] == {"limit": 100}
