"""Recommendations of what was last seen and measured, and what people say of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect

from app import jobs
from app.clusters import CheckRules, Observed, Seen, record_inventory
from app.kernel.clock import utc_now
from app.monitoring import reading
from app.sre import HISTORY, RecommendEverywhere, forget_applies, forget_settled, grounds, read_grounds, read_samples
from app.sre.models import Recommendation, RecommendationApply
from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tests.clusters.contract.world import workload
from tests.support.clusters import API, Keeper, register
from tests.support.identity import Person, data_of, error_of
from tests.support.kubernetes import ApiServer
from tests.support.metrics import get, series, write
from tests.support.recommendations import (
    PATH,
    apply,
    deploy,
    generate,
    listed,
    look,
    measure,
)


def test_what_asks_for_too_much_is_found_with_figures_reasons_and_a_patch(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, cluster_id: str
) -> None:
    asked = advice["evidence"]["recommended"]["requests"]
    assert asked["cpu"] == pytest.approx(0.2, rel=0.01)
    assert asked["memory"] == pytest.approx(300e6 * 1.15, rel=0.01)
    assert advice["resource"] == {"kind": "Deployment", "namespace": "shop", "name": "web", "container": "main"}
    assert (advice["status"], advice["priority"], advice["can_be_applied"]) == ("open", "high", True)
    (event,) = [one for one in keeper.events("recommendation.created") if one["kind"] == "rightsizing"]
    assert event["recommendation_id"] == advice["id"]
    again = generate(client, alice, cluster_id, keeper)
    assert (again["created"], again["reopened"], again["resolved"]) == (0, 0, 0)
    assert get(client, alice, f"/sre/recommendations/{advice['id']}")["id"] == advice["id"]


def test_lists_are_narrowed_by_what_callers_look_for(
    client: FlaskClient, alice: Person, advice: dict[str, Any]
) -> None:
    for query in ({"namespace": "shop"}, {"min_confidence": 0.5}, {"search": "WE"}, {"priority": "high"}):
        assert advice["id"] in {one["id"] for one in listed(client, alice, **query)}
    for query in ({"namespace": "bank"}, {"min_confidence": 0.99}, {"status": "dismissed"}, {"kind": "scaling"}):
        assert advice["id"] not in {one["id"] for one in listed(client, alice, **query)}


def test_what_is_dismissed_stays_away_until_its_evidence_changes(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster, cluster_id: str
) -> None:
    path = f"{PATH}/{advice['id']}"
    refused = client.patch(path, json={"status": "dismissed"}, headers=alice.headers)
    assert error_of(refused, 422)["errors"][0]["field"] == "reason"
    said = {"status": "dismissed", "reason": "too_risky", "comment": "it starts slowly"}
    shown = data_of(client.patch(path, json=said, headers=alice.headers))
    assert (shown["status"], shown["feedback"][0]["reason"]) == ("dismissed", "too_risky")
    assert error_of(client.post(f"{path}/apply", json={}, headers=alice.headers), 409)
    assert generate(client, alice, cluster_id, keeper)["reopened"] == 0
    assert listed(client, alice, kind="rightsizing") == []
    (kept,) = listed(client, alice, kind="rightsizing", status="dismissed")
    assert kept["id"] == advice["id"]
    deploy(opened, {"requests": {"cpu": "3", "memory": "2Gi"}, "limits": {"memory": "2Gi"}})
    look(client, alice, cluster_id, keeper)
    measure(client, alice, cluster_id)
    assert generate(client, alice, cluster_id, keeper)["reopened"] == 1
    (back,) = listed(client, alice, kind="rightsizing")
    assert (back["id"], len(back["feedback"])) == (advice["id"], 1)
    told = [one["recommendation_id"] for one in keeper.events("recommendation.created")]
    assert told.count(advice["id"]) == 2


def test_a_dismissal_is_taken_back_and_what_is_no_longer_found_is_resolved(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster, cluster_id: str
) -> None:
    path = f"{PATH}/{advice['id']}"
    for said in ({"status": "dismissed", "reason": "not_now"}, {"status": "open"}):
        assert data_of(client.patch(path, json=said, headers=alice.headers))["status"] == said["status"]
    assert error_of(client.patch(path, json={"status": "open"}, headers=alice.headers), 409)
    deploy(opened, {"requests": {"cpu": "200m", "memory": "330Mi"}, "limits": {"memory": "330Mi"}})
    look(client, alice, cluster_id, keeper)
    measure(client, alice, cluster_id)
    assert generate(client, alice, cluster_id, keeper)["resolved"] == 1
    assert get(client, alice, f"/sre/recommendations/{advice['id']}")["status"] == "resolved"


def test_to_others_there_are_no_recommendations(
    client: FlaskClient, charlie: Person, advice: dict[str, Any], cluster_id: str
) -> None:
    assert listed(client, charlie) == []
    error_of(client.get(f"{PATH}/{advice['id']}", headers=charlie.headers), 404)
    error_of(client.post(f"{PATH}/{advice['id']}/apply", json={}, headers=charlie.headers), 404)
    error_of(client.post(f"{PATH}/generate", json={"cluster_id": cluster_id}, headers=charlie.headers), 404)


def test_whoever_asks_again_before_the_worker_comes_gets_the_same_job(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper
) -> None:
    def ask() -> str:
        asked = client.post(f"{PATH}/generate", json={"cluster_id": cluster_id}, headers=alice.headers)
        return str(data_of(asked, 202)["job_id"])

    first = ask()
    assert ask() == first
    keeper.drain()
    assert ask() != first


def test_the_clock_asks_for_every_connected_cluster(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper
) -> None:
    with keeper.database.transaction() as session:
        jobs.accept(session, RecommendEverywhere())
    keeper.drain()
    assert [one["kind"] for one in listed(client, alice, cluster_id=cluster_id)].count("rightsizing") == 1


def test_what_could_not_be_listed_recommends_nothing(
    app: Flask, client: FlaskClient, alice: Person, server: ApiServer, opened: RestCluster, keeper: Keeper
) -> None:
    made = register(client, alice, server.access(server.token_for("bob")), name="blind")
    keeper.drain()
    assert "could not be listed" in generate(client, alice, made["id"], keeper)["skipped"]


def test_a_workload_with_more_samples_than_can_be_read_costs_no_other_its_advice(
    client: FlaskClient,
    alice: Person,
    advice: dict[str, Any],
    keeper: Keeper,
    opened: RestCluster,
    cluster_id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = workload("Deployment", "shop", "bare", replicas=1)
    opened.apply(kinds.DEPLOYMENT, body, manager="tests", force=True)
    look(client, alice, cluster_id, keeper)
    monkeypatch.setattr(reading, "MOST_READ", 100)
    told = generate(client, alice, cluster_id, keeper)
    assert told["resolved"] == 0
    assert {one["resource"]["name"] for one in listed(client, alice)} == {"web", "bare"}
    opened.delete(kinds.DEPLOYMENT, "bare", "shop")


def test_of_a_container_with_many_series_the_newest_are_read_and_not_beyond_a_bound(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first, *_) = data_of(client.get(f"{API}/{cluster_id}/pods", headers=alice.headers))
    labels = {"namespace": "shop", "pod": first["name"], "container": "main"}
    began = utc_now().timestamp() - 600
    many = [series("container_memory_working_set_bytes", [[began, 1.0]], id=str(n), **labels) for n in range(20)]
    write(client, alice, *many, cluster_id=cluster_id)
    with keeper.database.transaction() as session:
        seen = read_grounds(session, UUID(cluster_id), HISTORY)
        assert seen is not None
        ((key, held),) = seen.series.items()
        assert len(held[first["name"], "main"]["memory"]) == grounds.MOST_SERIES
        assert len(list(read_samples(session, seen, key, 0.0))) == len(held) == 2
        monkeypatch.setattr(grounds, "MOST_SAMPLES", 10)
        assert len(list(read_samples(session, seen, key, 0.0))) == 1


def test_what_was_resolved_long_ago_is_neither_read_again_nor_kept_beyond_a_bound(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster_id = UUID(advice["cluster_id"])
    with keeper.database.transaction() as session:
        row = session.get_one(Recommendation, UUID(advice["id"]))
        for n in range(6):
            copy = make_resolved(row, f"preview-{n}", utc_now() - timedelta(days=n))
            session.add(copy)
    monkeypatch.setattr("app.sre.advice.MOST_RESOLVED", 4)
    generate(client, alice, str(cluster_id), keeper)
    kept = {one["resource"]["name"] for one in listed(client, alice, status="resolved")}
    assert kept == {f"preview-{n}" for n in range(4)}
    assert [one["id"] for one in listed(client, alice, kind="rightsizing")] == [advice["id"]]


def make_resolved(row: Recommendation, name: str, at: datetime) -> Recommendation:
    """Return the same for something else, that was resolved."""
    same = {one.key: getattr(row, one.key) for one in inspect(Recommendation).column_attrs if one.key != "id"}
    return Recommendation(**same | {"resource_name": name, "status": "resolved", "settled_at": at})


def test_what_somebody_has_done_with_is_forgotten_when_it_was_not_found_for_long(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper
) -> None:
    path, long = f"{PATH}/{advice['id']}", utc_now() - timedelta(days=91)
    data_of(client.patch(path, json={"status": "dismissed", "reason": "wrong"}, headers=alice.headers))
    with keeper.database.transaction() as session:
        assert forget_settled(session) == 0
        session.get_one(Recommendation, UUID(advice["id"])).found_at = long
        session.flush()
        assert forget_settled(session) == 1
    error_of(client.get(path, headers=alice.headers), 404)


def test_what_was_tried_long_ago_is_forgotten(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper
) -> None:
    told = apply(client, alice, advice["id"], keeper, dry_run=True)
    with keeper.database.transaction() as session:
        assert forget_applies(session) == 0
        session.get_one(RecommendationApply, UUID(told["id"])).finished_at = utc_now() - timedelta(days=91)
        session.flush()
        assert forget_applies(session) == 1
    assert get(client, alice, f"/sre/recommendations/{advice['id']}/applies") == []


def test_certificates_that_end_soon_are_told_with_what_renews_them(
    client: FlaskClient, alice: Person, server: ApiServer, opened: RestCluster, keeper: Keeper
) -> None:
    made = register(client, alice, server.access_by_certificate("root", "system:masters"), name="by-certificate")
    keeper.drain()
    soon = (utc_now() + timedelta(days=5)).isoformat()
    kept = Seen("shop", "web-tls", "NotReady", {"not_after": soon, "issuer": "acme"})
    with keeper.database.transaction() as session:
        record_inventory(session, UUID(made["id"]), {"certificates": Observed([kept])}, CheckRules())
    generate(client, alice, made["id"], keeper)
    found = {one["resource"]["kind"]: one for one in listed(client, alice, kind="expiring_certificate")}
    assert found["Certificate"]["command"] == "cmctl renew --namespace=shop -- web-tls"
    assert (found["Certificate"]["priority"], found["Certificate"]["can_be_applied"]) == ("medium", False)
    assert f"/api/v1/clusters/{made['id']}" in found["Cluster"]["command"]
