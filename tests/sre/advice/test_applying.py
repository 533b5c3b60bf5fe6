"""Recommendations that are applied: tried, written, measured, and refused."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.identity import Membership, Scope
from app.kernel.db import Database
from app.sre import HISTORY, Finding, Subject, keep_findings, read_grounds
from app.sre.models import Recommendation
from tasks.clusters.gateways.kubernetes import Patch, RestCluster, kinds
from tests.support.clusters import Keeper
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.metrics import get
from tests.support.recommendations import (
    ASKED,
    PATH,
    apply,
    deploy,
    generate,
    listed,
    look,
    measure,
    measured,
    resources_of,
)
from tests.support.rights import give


def test_a_dry_run_tells_each_field_and_changes_nothing(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster
) -> None:
    before = opened.get(kinds.DEPLOYMENT, "web", "shop")["spec"]
    told = apply(client, alice, advice["id"], keeper, dry_run=True)
    assert told["status"] == "succeeded", told["error"]
    changes = {
        one["field"].rpartition("resources.")[2]: (one["before"], one["after"]) for one in told["outcome"]["changes"]
    }
    assert changes["requests.cpu"] == ("2", "200m")
    assert changes["limits.cpu"] == ("4", None)
    assert opened.get(kinds.DEPLOYMENT, "web", "shop")["spec"] == before
    assert get(client, alice, f"/sre/recommendations/{advice['id']}")["status"] == "open"


def test_what_is_applied_is_written_and_measured_afterwards(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster, cluster_id: str
) -> None:
    told = apply(client, alice, advice["id"], keeper)
    assert (told["status"], told["outcome"]["outcome"]) == ("succeeded", "configured")
    assert resources_of(opened) == {"requests": {"cpu": "200m", "memory": "330Mi"}, "limits": {"memory": "330Mi"}}
    shown = get(client, alice, f"/sre/recommendations/{advice['id']}")
    assert (shown["status"], shown["can_be_applied"]) == ("applied", False)
    assert error_of(client.post(f"{PATH}/{advice['id']}/apply", json={}, headers=alice.headers), 409)
    look(client, alice, cluster_id, keeper)
    measure(client, alice, cluster_id)
    effect = measured(client, alice, advice["id"], keeper, told["id"])
    assert effect["verdict"] == "as_expected", effect
    assert effect["measured"]["now"]["requests"]["cpu"] == 0.2
    assert effect["expected"] == advice["expected_effect"]
    assert generate(client, alice, cluster_id, keeper)["reopened"] == 0


def test_a_look_that_began_before_a_change_takes_nothing_back(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, cluster_id: str
) -> None:
    with keeper.database.transaction() as session:
        before = read_grounds(session, UUID(cluster_id), HISTORY)
        assert before is not None
        known = session.get_one(Recommendation, UUID(advice["id"]))
        about = Subject(known.resource_kind, known.namespace, known.resource_name, known.container)
        said = {"priority": "low", "title": "late", "formula": "", "evidence": {}, "confidence": 0.5, "effect": {}}
        late = Finding(kind=known.kind, about=about, command="", figures={"cpu": 9.0}, **said)
    assert apply(client, alice, advice["id"], keeper)["status"] == "succeeded"
    generate(client, alice, cluster_id, keeper)
    with keeper.database.transaction() as session:
        for findings in ([late], []):
            told = keep_findings(session, before, findings)
            assert (told["reopened"], told["resolved"]) == (0, 0)
    shown = get(client, alice, f"/sre/recommendations/{advice['id']}")
    assert (shown["status"], shown["title"]) == ("applied", advice["title"])


def test_what_others_have_taken_back_is_seen(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster, cluster_id: str
) -> None:
    told = apply(client, alice, advice["id"], keeper)
    deploy(opened, ASKED)
    look(client, alice, cluster_id, keeper)
    assert measured(client, alice, advice["id"], keeper, told["id"])["verdict"] == "undone"


def test_what_its_author_has_changed_meanwhile_is_left_alone(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster
) -> None:
    other = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
    deploy(opened, other)
    told = apply(client, alice, advice["id"], keeper)
    assert (told["status"], told["error"]["code"]) == ("failed", "EVIDENCE_CHANGED")
    assert resources_of(opened)["requests"] == other["requests"]
    assert get(client, alice, f"/sre/recommendations/{advice['id']}")["status"] == "open"


def test_a_worker_that_was_lost_after_the_change_changes_nothing_more(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster
) -> None:
    opened.patch(kinds.DEPLOYMENT, "web", "shop", change=advice["patch"], form=Patch.STRATEGIC)
    told = apply(client, alice, advice["id"], keeper)
    assert (told["status"], told["outcome"]["outcome"], told["outcome"]["changes"]) == ("succeeded", "unchanged", [])


def test_who_may_not_write_in_the_namespace_applies_nothing(
    app: Flask, client: FlaskClient, alice: Person, advice: dict[str, Any], database: Database, cluster_id: str
) -> None:
    bob = make_person(app, database, "bob")
    give(database, bob, "sre-engineer", Scope("cluster", UUID(cluster_id)))
    path = f"{PATH}/{advice['id']}/apply"
    refused = error_of(client.post(path, json={"dry_run": True}, headers=bob.headers), 403)
    assert refused["details"]["required_permission"] == "namespaces:write"
    give(database, bob, "namespace-editor", Scope("namespace", UUID(cluster_id), "shop"))
    assert data_of(client.post(path, json={"dry_run": True}, headers=bob.headers), 202)["dry_run"] is True


def test_rights_that_are_lost_before_the_worker_comes_change_nothing(
    app: Flask, client: FlaskClient, advice: dict[str, Any], database: Database, keeper: Keeper, opened: RestCluster
) -> None:
    bob, organization = make_person(app, database, "bob"), UUID(advice["organization_id"])
    join(database, bob, organization, "admin")
    asked = data_of(client.post(f"{PATH}/{advice['id']}/apply", json={}, headers=bob.headers), 202)
    with database.transaction() as session:
        mine = (Membership.organization_id == organization, Membership.user_id == bob.user.id)
        session.execute(update(Membership).where(*mine).values(role="viewer"))
    keeper.drain()
    assert keeper.job(asked["job_id"]).error["code"] == "INSUFFICIENT_PERMISSIONS"  # type: ignore[index]
    assert resources_of(opened) == ASKED


def test_what_is_dismissed_before_the_worker_comes_is_not_applied(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper, opened: RestCluster
) -> None:
    path = f"{PATH}/{advice['id']}"
    asked = data_of(client.post(f"{path}/apply", json={}, headers=alice.headers), 202)
    data_of(client.patch(path, json={"status": "dismissed", "reason": "too_risky"}, headers=alice.headers))
    keeper.drain()
    assert keeper.job(asked["job_id"]).error["code"] == "RECOMMENDATION_DISMISSED"  # type: ignore[index]
    assert resources_of(opened) == ASKED
    assert get(client, alice, path.removeprefix("/api/v1"))["status"] == "dismissed"


def test_two_do_not_apply_one_at_once(
    client: FlaskClient, alice: Person, advice: dict[str, Any], keeper: Keeper
) -> None:
    path = f"{PATH}/{advice['id']}/apply"
    first = data_of(client.post(path, json={}, headers=alice.headers), 202)
    assert "already" in error_of(client.post(path, json={}, headers=alice.headers), 409)["message"]
    client.post(f"/api/v1/jobs/{first['job_id']}/cancel", headers=alice.headers)
    (ended,) = get(client, alice, f"/sre/recommendations/{advice['id']}/applies")
    assert ended["status"] == "cancelled"
    assert data_of(client.post(path, json={}, headers=alice.headers), 202)


def test_advice_that_cannot_be_made_by_the_platform_is_not_applied(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper, opened: RestCluster
) -> None:
    deploy(opened, {})
    look(client, alice, cluster_id, keeper)
    generate(client, alice, cluster_id, keeper)
    (bare,) = listed(client, alice, kind="missing_limits")
    assert (bare["patch"], bare["can_be_applied"]) == (None, False)
    said = error_of(client.post(f"{PATH}/{bare['id']}/apply", json={}, headers=alice.headers), 409)
    assert said["code"] == "INVALID_STATE"


def test_an_autoscaler_at_its_limit_is_given_more(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper, opened: RestCluster
) -> None:
    use = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {
        "scaleTargetRef": target,
        "minReplicas": 1,
        "maxReplicas": 2,
        "metrics": [{"type": "Resource", "resource": use}],
    }
    opened.apply(kinds.AUTOSCALER, {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}, manager="tests")
    seen = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 120}}}
    limited = {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}
    status = {"currentReplicas": 2, "desiredReplicas": 2, "currentMetrics": [seen], "conditions": [limited]}
    opened.patch(kinds.AUTOSCALER, "web", "shop", change={"status": status}, subresource="status")
    look(client, alice, cluster_id, keeper)
    generate(client, alice, cluster_id, keeper)
    (found,) = listed(client, alice, kind="scaling")
    told = apply(client, alice, found["id"], keeper)
    assert told["outcome"]["changes"] == [{"field": "spec.maxReplicas", "before": 2, "after": 4}]
    assert opened.get(kinds.AUTOSCALER, "web", "shop")["spec"]["maxReplicas"] == 4
    look(client, alice, cluster_id, keeper)
    assert measured(client, alice, found["id"], keeper, told["id"])["verdict"] == "as_expected"
    opened.delete(kinds.AUTOSCALER, "web", "shop")
