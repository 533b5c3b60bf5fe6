"""Recommendations, as they would have been found, and as clients ask for them, answer and apply them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
from flask.testing import FlaskClient

from app import jobs
from app.kernel.clock import utc_now
from app.kernel.db import Database
from app.sre import MeasureEffect
from app.sre.models import Recommendation
from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tests.clusters.contract.world import workload
from tests.support.clusters import API, Keeper
from tests.support.identity import Person, data_of
from tests.support.metrics import get, series, write

PATH = "/api/v1/sre/recommendations"
ASKED = {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"cpu": "4", "memory": "2Gi"}}


def make_recommendation(database: Database, organization_id: UUID, cluster_id: UUID) -> Recommendation:
    """Make a recommendation that can be applied."""
    row = Recommendation(
        organization_id=organization_id,
        cluster_id=cluster_id,
        kind="unused_workload",
        resource_kind="Deployment",
        namespace="world",
        resource_name="world",
        container="",
        priority="low",
        title="world",
        formula="world",
        evidence={},
        confidence=0.5,
        expected_effect={},
        command="kubectl",
        patch={"spec": {"replicas": 0}},
        basis={"facts": {"replicas": 1}, "figures": {}},
    )
    with database.transaction() as session:
        session.add(row)
        session.flush()
    return row


def deploy(cluster: RestCluster, resources: dict[str, Any], replicas: int = 2, **spec: Any) -> None:
    body = workload("Deployment", "shop", "web", replicas=replicas, resources=resources, **spec)
    cluster.apply(kinds.DEPLOYMENT, body, manager="tests", force=True)


def measure(client: FlaskClient, person: Person, cluster_id: str, cpu: float = 0.2, memory: float = 300e6) -> None:
    """Tell what each pod has used over some days."""
    times = utc_now().timestamp() - 300.0 * np.arange(150)[::-1]
    counted = np.column_stack((times, cpu * 300.0 * np.arange(150))).tolist()
    held = np.column_stack((times, np.full(150, memory))).tolist()
    given = []
    for pod in data_of(client.get(f"{API}/{cluster_id}/pods", headers=person.headers)):
        labels = {"namespace": "shop", "pod": pod["name"], "container": "main"}
        given.append(series("container_cpu_usage_seconds_total", counted, **labels))
        given.append(series("container_memory_working_set_bytes", held, **labels))
    write(client, person, *given, cluster_id=cluster_id)


def look(client: FlaskClient, person: Person, cluster_id: str, keeper: Keeper) -> None:
    client.post(f"{API}/{cluster_id}/health-check", headers=person.headers)
    keeper.drain()


def generate(client: FlaskClient, person: Person, cluster_id: str, keeper: Keeper) -> Any:
    asked = data_of(client.post(f"{PATH}/generate", json={"cluster_id": cluster_id}, headers=person.headers), 202)
    assert asked["cluster_id"] == cluster_id
    keeper.drain()
    job = keeper.job(asked["job_id"])
    assert job.status == "succeeded", job.error
    return job.result


def listed(client: FlaskClient, person: Person, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(client, person, "/sre/recommendations", **query)
    return found


def apply(client: FlaskClient, person: Person, row_id: str, keeper: Keeper, **how: Any) -> dict[str, Any]:
    """Apply a recommendation, have it done, and return what became of it."""
    asked = data_of(client.post(f"{PATH}/{row_id}/apply", json=how, headers=person.headers), 202)
    keeper.drain()
    found = get(client, person, f"/sre/recommendations/{row_id}/applies")
    return next(dict(one) for one in found if one["id"] == asked["id"])


def resources_of(cluster: RestCluster) -> Any:
    (container,) = cluster.get(kinds.DEPLOYMENT, "web", "shop")["spec"]["template"]["spec"]["containers"]
    return container["resources"]


def measured(client: FlaskClient, person: Person, row_id: str, keeper: Keeper, apply_id: str) -> dict[str, Any]:
    """What is seen of a change when its time has come."""
    with keeper.database.transaction() as session:
        jobs.accept(session, MeasureEffect(UUID(apply_id)))
    keeper.drain()
    (found,) = [one for one in get(client, person, f"/sre/recommendations/{row_id}/applies") if one["id"] == apply_id]
    assert found["measured_at"]
    return dict(found["effect"])
