"""Sources are pulled from: by the clock and on demand, in small pieces, and the dead cost the others nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from app.jobs import Job
from app.kernel.addresses import AddressRules
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.monitoring import PullMetrics, take_due_pulls
from app.monitoring.models import MetricSource
from config.settings import Settings
from tasks.monitoring.gateways import prometheus as gateway
from tests.support.clusters import Keeper, make_tools
from tests.support.identity import Person, data_of
from tests.support.kubernetes import ApiServer, serving
from tests.support.kubernetes.kinds import BY_KEY
from tests.support.kubernetes.measuring import measure_node, measure_pod
from tests.support.metrics import get
from tests.support.places import make_cluster
from tests.support.prometheus import Prometheus, prometheus_in_memory

COLLECT = "/api/v1/metrics/collect"


@pytest.fixture
def keeper(database: Database, settings: Settings, tmp_path: Path) -> Keeper:
    """A worker that may ask this machine."""
    tools = make_tools(settings, tmp_path)
    return Keeper(database, replace(tools, metrics=replace(tools.metrics, addresses=AddressRules(True, True))))


@pytest.fixture
def prometheus(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prometheus]:
    """A Prometheus with an hour of two pods' memory."""
    monkeypatch.setattr(app.extensions["headrace"], "allow_private_addresses", True)
    with prometheus_in_memory() as one:
        now = int(time.time())
        for pod, value in (("a", 1.0), ("b", 2.0)):
            one.put("memory", [(float(at), value) for at in range(now - 7200, now + 600, 30)], pod=pod)
        yield one


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A cluster's API server, which measures a node and a pod."""
    with serving() as server:
        now = time.time()
        measure_node(server.api, "n1", "1500m", "2Gi", now)
        measure_pod(server.api, "default", "web-1", {"web": ("250m", "1Gi")}, now)
        nodes, quotas = BY_KEY["nodes."], BY_KEY["resourcequotas."]
        with server.store.lock:
            node = server.api.make(nodes, {"metadata": {"name": "n1"}})
            node["status"] = {"allocatable": {"cpu": "4", "memory": "8Gi"}}
            server.api.store.put(server.api.store.filed("nodes.")[0], node)
            server.api.make(
                quotas, {"metadata": {"name": "q", "namespace": "default"}, "spec": {"hard": {"pods": "10"}}}
            )
            key = server.api.store.filed("resourcequotas.")[0]
            quota = server.api.store.get(key) or {}
            server.api.store.put(key, quota | {"status": {"hard": {"pods": "10"}, "used": {"pods": "9"}}})
        yield server


def source(client: FlaskClient, person: Person, prometheus: Prometheus, **fields: Any) -> str:
    body = {"name": "shop", "url": prometheus.url, "queries": [{"query": "memory"}], **fields}
    made = data_of(client.post("/api/v1/metric-sources", json=body, headers=person.headers), 201)
    return str(made["id"])


def pull(keeper: Keeper) -> Any:
    """Pull from what is due, as the clock asks for it."""
    return keeper.do(PullMetrics())


def change(keeper: Keeper, source_id: str, **values: Any) -> None:
    with keeper.database.transaction() as session:
        session.execute(update(MetricSource).where(MetricSource.id == UUID(source_id)).values(values))


def shown(client: FlaskClient, person: Person, source_id: str) -> Any:
    return get(client, person, f"/metric-sources/{source_id}")


def test_an_hour_is_pulled_at_first_and_then_what_is_new(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus
) -> None:
    queries = [{"query": "memory"}, {"query": "sum(memory)", "name": "all_memory"}]
    source_id = source(client, alice, prometheus, queries=queries)
    assert pull(keeper) == {"sources": 1, "samples": 240 + 60, "failed": 0}
    one = shown(client, alice, source_id)
    assert (one["series"], one["samples"], one["failures"], one["error"]) == (3, 300, 0, None)
    assert pull(keeper)["sources"] == 0
    change(keeper, source_id, next_pull_at=database_now(), pulled_until=MetricSource.pulled_until - 600)
    told = pull(keeper)
    # Some of it was there already: nothing is kept twice.
    assert told == {"sources": 1, "samples": 0, "failed": 0}
    points = get(client, alice, "/metrics/query", query="all_memory", period="1h")["result"][0]["points"]
    assert {value for _, value in points} == {3.0}


def test_who_was_away_for_long_catches_up_in_pieces(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus
) -> None:
    source_id = source(client, alice, prometheus)
    now = int(time.time())
    change(keeper, source_id, pulled_until=now - 7200, span_seconds=1800)
    told = pull(keeper)
    assert told["sources"] >= 3
    asked = [int(one["query"].removeprefix("memory[").removesuffix("s]")) for one in prometheus.asked]
    assert asked[0] == 1800
    assert max(asked) <= 3600
    assert told["samples"] == 2 * len(range((now - 7200) // 30, (now - 30) // 30))


def test_a_source_that_fails_is_asked_later_and_later_and_says_why(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus
) -> None:
    healthy = source(client, alice, prometheus)
    with prometheus_in_memory() as other:
        broken = source(client, alice, other, name="broken")
        other.answer = lambda _: (400, b'{"status":"error","error":"parse error: unexpected\\u0000 end"}')
        assert pull(keeper) == {"sources": 2, "samples": 240, "failed": 1}
        first = shown(client, alice, broken)
        assert (first["failures"], first["error_code"]) == (1, "SOURCE_QUERY_REFUSED")
        assert first["error"] == "The source says: parse error: unexpected  end"
        change(keeper, broken, next_pull_at=database_now(), failures=5)
        pull(keeper)
        assert shown(client, alice, broken)["next_pull_at"] > first["next_pull_at"]
        other.answer = None
        change(keeper, broken, next_pull_at=database_now())
        pull(keeper)
    assert (shown(client, alice, broken)["failures"], shown(client, alice, broken)["error"]) == (0, None)
    assert shown(client, alice, healthy)["failures"] == 0


def test_what_is_too_much_at_once_is_asked_for_a_shorter_time(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "MOST_POINTS", 100)
    source_id = source(client, alice, prometheus)
    assert pull(keeper)["failed"] == 1
    assert shown(client, alice, source_id)["error_code"] == "SOURCE_TOO_LARGE"
    for _ in range(2):
        change(keeper, source_id, next_pull_at=database_now())
        pull(keeper)
    # By then a pull reads a quarter of an hour, and the next ones follow at once.
    assert shown(client, alice, source_id)["failures"] == 0
    assert shown(client, alice, source_id)["samples"] >= 60


def test_series_beyond_the_limit_are_refused_and_said(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus
) -> None:
    keeper.tools = replace(keeper.tools, metrics=replace(keeper.tools.metrics, series=1))
    source_id = source(client, alice, prometheus)
    assert pull(keeper) == {"sources": 1, "samples": 120, "failed": 0}
    assert shown(client, alice, source_id)["error_code"] == "QUOTA_EXCEEDED"


def test_only_one_worker_takes_a_source(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus
) -> None:
    source(client, alice, prometheus)
    with keeper.database.transaction() as session:
        assert len(take_due_pulls(session, 10)) == 1
        assert take_due_pulls(session, 10) == []


def test_a_private_address_is_not_asked_where_it_may_not_be(
    client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus
) -> None:
    keeper.tools = replace(keeper.tools, metrics=replace(keeper.tools.metrics, addresses=AddressRules()))
    source_id = source(client, alice, prometheus)
    assert pull(keeper)["failed"] == 1
    assert shown(client, alice, source_id)["error_code"] == "SOURCE_REFUSED"
    assert prometheus.asked == []


def test_a_connected_cluster_is_a_source_by_itself(
    app: Flask, client: FlaskClient, alice: Person, keeper: Keeper, server: ApiServer
) -> None:
    cluster_id = str(make_cluster(app, keeper.database, alice, server.access()))
    told = pull(keeper)
    assert told == {"sources": 1, "samples": 2 + 2 + 2 + 2, "failed": 0}
    (one,) = get(client, alice, "/metric-sources", cluster_id=cluster_id)
    assert (one["kind"], one["url"], one["name"], one["error"]) == ("kubernetes", None, "host", None)
    found = get(client, alice, "/metrics/query", query="kubernetes_node_cpu_cores", time=time.time() + 5)["result"]
    assert found[0]["labels"] == {"__name__": "kubernetes_node_cpu_cores", "node": "n1", "cluster_id": cluster_id}
    assert [value for _, value in found[0]["points"]] == [1.5]
    path = f"/api/v1/metric-sources/{one['id']}"
    assert client.delete(path, headers=alice.headers).status_code == 409
    assert client.patch(path, json={"url": "https://x.example.com"}, headers=alice.headers).status_code == 409
    assert client.patch(path, json={"enabled": False}, headers=alice.headers).status_code == 200
    assert pull(keeper)["sources"] == 0


def test_what_was_measured_once_is_kept_once(app: Flask, alice: Person, keeper: Keeper, server: ApiServer) -> None:
    make_cluster(app, keeper.database, alice, server.access())
    pull(keeper)
    with keeper.database.transaction() as session:
        session.execute(update(MetricSource).values(next_pull_at=database_now()))
    # Of the node and the pod nothing new was measured; what is allocatable and the quota are of now.
    assert pull(keeper)["samples"] in (0, 4)


def test_a_cluster_without_a_metrics_api_says_so(
    app: Flask, client: FlaskClient, alice: Person, keeper: Keeper, server: ApiServer
) -> None:
    make_cluster(app, keeper.database, alice, server.access())
    server.api.has_metrics = False
    assert pull(keeper)["failed"] == 1
    (one,) = get(client, alice, "/metric-sources")
    assert one["error_code"] == "SOURCE_REFUSED"
    assert "metrics-server" in one["error"]


def test_sources_are_pulled_from_when_somebody_asks(
    app: Flask, client: FlaskClient, alice: Person, keeper: Keeper, prometheus: Prometheus, server: ApiServer
) -> None:
    cluster_id = str(make_cluster(app, keeper.database, alice, server.access()))
    source(client, alice, prometheus)
    asked = data_of(client.post(COLLECT, json={"cluster_id": cluster_id}, headers=alice.headers), 202)
    assert asked["cluster_id"] == cluster_id
    keeper.drain()
    told = {"sources": 1, "samples": 8, "failed": 0, "failures": []}
    assert keeper.job(asked["job_id"]).result == told
    with prometheus_in_memory() as gone:
        broken = source(client, alice, gone, name="gone")
    with keeper.database.transaction() as session:
        session.execute(delete(Job))
    asked = data_of(client.post(COLLECT, json={}, headers=alice.headers), 202)
    keeper.drain()
    result = keeper.job(asked["job_id"]).result or {}
    assert (result["sources"], result["failed"]) == (3, 1)
    assert [(one["source_id"], one["code"]) for one in result["failures"]] == [(broken, "SOURCE_UNREACHABLE")]
