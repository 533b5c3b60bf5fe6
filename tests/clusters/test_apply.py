"""Applying manifests: what becomes of each object, and where nobody gets by it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app.clusters.manifests import read_manifests
from app.identity import Scope
from app.kernel.db import Database
from app.kernel.errors import Invalid
from tasks.clusters.gateways.kubernetes import ObjectNotFound, RestCluster, kinds
from tests.clusters.contract.world import LOOPBACK
from tests.support.clusters import API, Keeper, register
from tests.support.identity import Person, data_of, error_of
from tests.support.kubernetes import ApiServer
from tests.support.rights import give
from tests.support.secrets import tables_that_show

GREETING = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting, namespace: shop}\ndata: {hello: world}\n"
ELSEWHERE = GREETING.replace("shop", "bank")
QUOTA = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q, namespace: shop}\n"
OPENSHIFT_ROLE = "apiVersion: authorization.openshift.io/v1\nkind: RoleBinding\nmetadata: {name: r, namespace: shop}\n"
ROLE = (
    "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: all, namespace: shop}\n"
    "rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]\n"
)
CLUSTER_ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: all}\nrules: []\n"
SPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: made}\n"


@pytest.fixture
def opened(api_server: ApiServer) -> Any:
    """The server itself, with two namespaces."""
    cluster = RestCluster(api_server.access(), rules=LOOPBACK)
    for name in ("shop", "bank"):
        cluster.apply(kinds.NAMESPACE, {"metadata": {"name": name}}, manager="tests")
    yield cluster
    for name in ("shop", "bank"):
        for body in cluster.list_page(kinds.CONFIG_MAP, name).items:
            cluster.delete(kinds.CONFIG_MAP, body["metadata"]["name"], name)
    cluster.close()


@pytest.fixture
def cluster_id(client: FlaskClient, alice: Person, api_server: ApiServer, opened: RestCluster, keeper: Keeper) -> str:
    """The same, registered and connected."""
    made = register(client, alice, api_server.access())
    keeper.drain()
    return str(made["id"])


def apply(client: FlaskClient, person: Person, cluster_id: str, *manifests: str, **how: Any) -> Any:
    body = {"manifests": "---\n".join(manifests), **how}
    return client.post(f"{API}/{cluster_id}/apply", json=body, headers=person.headers)


def ended(keeper: Keeper, reply: Any) -> dict[str, Any]:
    """Run the job and return its result, or its error's details."""
    keeper.drain()
    job = keeper.job(data_of(reply, 202)["job_id"])
    error = job.error or {}
    return dict(job.result or {}) if job.status == "succeeded" else {"code": error["code"], **error["details"]}


def outcomes(told: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in told["objects"]]


def test_objects_are_made_changed_and_left_alone(
    client: FlaskClient, alice: Person, cluster_id: str, opened: RestCluster, keeper: Keeper
) -> None:
    other = GREETING.replace("greeting", "other")
    assert outcomes(ended(keeper, apply(client, alice, cluster_id, GREETING, other))) == ["created", "created"]
    told = ended(keeper, apply(client, alice, cluster_id, GREETING, other.replace("world", "you")))
    assert outcomes(told) == ["unchanged", "configured"]
    assert (told["applied"], told["failed"]) == (2, 0)
    assert opened.get(kinds.CONFIG_MAP, "other", "shop")["data"] == {"hello": "you"}


def test_json_lists_and_a_namespace_for_those_without_one_are_taken(
    client: FlaskClient, alice: Person, cluster_id: str, opened: RestCluster, keeper: Keeper
) -> None:
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{n}"}} for n in range(2)]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    told = ended(keeper, apply(client, alice, cluster_id, listed, namespace="bank"))
    assert [one["namespace"] for one in told["objects"]] == ["bank", "bank"]
    assert opened.get(kinds.CONFIG_MAP, "c1", "bank")


def test_a_dry_run_writes_nothing(
    client: FlaskClient, alice: Person, cluster_id: str, opened: RestCluster, keeper: Keeper
) -> None:
    told = ended(keeper, apply(client, alice, cluster_id, GREETING, dry_run=True))
    assert (told["dry_run"], outcomes(told)) == (True, ["created"])
    with pytest.raises(ObjectNotFound):
        opened.get(kinds.CONFIG_MAP, "greeting", "shop")


def test_a_conflict_names_the_field_and_its_manager_and_force_takes_it_over(
    client: FlaskClient, alice: Person, cluster_id: str, opened: RestCluster, keeper: Keeper
) -> None:
    theirs = {"metadata": {"name": "greeting", "namespace": "shop"}, "data": {"hello": "theirs"}}
    opened.apply(kinds.CONFIG_MAP, theirs, manager="somebody")
    other = GREETING.replace("greeting", "other")
    told = ended(keeper, apply(client, alice, cluster_id, GREETING, other))
    assert (told["code"], outcomes(told)) == ("APPLY_FAILED", ["conflict", "created"])
    assert told["objects"][0]["conflicts"] == [{"field": ".data.hello", "manager": "somebody"}]
    assert outcomes(ended(keeper, apply(client, alice, cluster_id, GREETING, force=True))) == ["configured"]
    assert opened.get(kinds.CONFIG_MAP, "greeting", "shop")["data"] == {"hello": "world"}


def test_each_object_that_fails_says_why_and_the_others_are_applied(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper
) -> None:
    nowhere = GREETING.replace("shop", "nowhere")
    unknown = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\n"
    told = ended(keeper, apply(client, alice, cluster_id, nowhere, unknown, GREETING))
    assert outcomes(told) == ["failed", "failed", "created"]
    assert [one.get("code") for one in told["objects"]] == ["OBJECT_NOT_FOUND", "OBJECT_NOT_FOUND", None]


def test_whoever_writes_one_namespace_writes_that_one_alone(
    client: FlaskClient, alice: Person, charlie: Person, cluster_id: str, keeper: Keeper, database: Database
) -> None:
    assert error_of(apply(client, charlie, cluster_id, GREETING), 404)
    give(database, charlie, "namespace-editor", Scope("namespace", UUID(cluster_id), "shop"))
    reply = apply(client, charlie, cluster_id, GREETING)
    assert outcomes(ended(keeper, reply)) == ["created"]
    job = data_of(client.get(f"/api/v1/jobs/{reply.get_json()['data']['job_id']}", headers=charlie.headers))
    assert job["status"] == "succeeded"
    assert error_of(apply(client, charlie, cluster_id, ELSEWHERE), 404)
    assert error_of(apply(client, charlie, cluster_id, GREETING, ELSEWHERE), 404)
    give(database, charlie, "namespace-viewer", Scope("namespace", UUID(cluster_id), "bank"))
    error = error_of(apply(client, charlie, cluster_id, GREETING, ELSEWHERE), 403)
    assert error["details"]["required_permission"] == "namespaces:write"


@pytest.mark.parametrize("manifest", [ROLE, OPENSHIFT_ROLE, QUOTA, CLUSTER_ROLE, SPACE])
def test_what_gives_rights_bounds_use_or_lies_in_no_namespace_takes_the_right_over_the_cluster(
    client: FlaskClient, alice: Person, charlie: Person, cluster_id: str, database: Database, manifest: str
) -> None:
    give(database, charlie, "namespace-admin", Scope("namespace", UUID(cluster_id), "shop"))
    reply = apply(client, charlie, cluster_id, GREETING, manifest)
    assert error_of(reply, 403)["details"]["required_permission"] == "clusters:apply"
    assert data_of(apply(client, alice, cluster_id, manifest), 202)


def test_a_kind_that_turns_out_to_lie_in_no_namespace_is_refused_before_anything_is_written(
    client: FlaskClient,
    charlie: Person,
    cluster_id: str,
    keeper: Keeper,
    database: Database,
    opened: RestCluster,
) -> None:
    name = {"plural": "planets", "singular": "planet", "kind": "Planet", "listKind": "PlanetList"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "example.com", "scope": "Cluster", "names": name, "versions": [version]}
    definition = {"metadata": {"name": "planets.example.com"}, "spec": spec}
    opened.apply(kinds.CUSTOM_RESOURCE_DEFINITION, definition, manager="tests")
    give(database, charlie, "namespace-editor", Scope("namespace", UUID(cluster_id), "shop"))
    planet = "apiVersion: example.com/v1\nkind: Planet\nmetadata: {name: mars, namespace: shop}\n"
    told = ended(keeper, apply(client, charlie, cluster_id, GREETING, planet))
    opened.delete(kinds.CUSTOM_RESOURCE_DEFINITION, "planets.example.com")
    assert told["code"] == "APPLY_REFUSED"
    assert [(one["name"], one["required_permission"]) for one in told["objects"]] == [("mars", "clusters:apply")]
    with pytest.raises(ObjectNotFound):
        opened.get(kinds.CONFIG_MAP, "greeting", "shop")


def test_rights_that_were_lost_meanwhile_write_nothing(
    client: FlaskClient, alice: Person, charlie: Person, cluster_id: str, keeper: Keeper, database: Database
) -> None:
    given = give(database, charlie, "namespace-editor", Scope("namespace", UUID(cluster_id), "shop"))
    reply = apply(client, charlie, cluster_id, GREETING)
    with database.transaction() as session:
        session.delete(session.merge(given))
    assert ended(keeper, reply)["code"] == "APPLY_REFUSED"


def test_what_is_applied_is_kept_sealed(
    client: FlaskClient, alice: Person, cluster_id: str, keeper: Keeper, database: Database
) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: shop}\nstringData: {a: canary-of-apply}\n"
    ended(keeper, apply(client, alice, cluster_id, secret))
    assert tables_that_show(database, "canary-of-apply") == []


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("a: &x {b: c}\nd: *x", "manifests", "anchor"),
        ("7", "manifests[0]", "object"),
        ("kind: Pod\nmetadata: {name: p}", "manifests[0].apiVersion", "API version"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: ''}", "manifests[0].metadata.name", "characters"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: a/b}", "manifests[0].metadata.name", "slashes"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: p-}", "manifests[0].metadata.name", "characters"),
        ("apiVersion: ../v1\nkind: Pod\nmetadata: {name: p}", "manifests[0].apiVersion", "API version"),
        (
            "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: " + "n" * 64 + "}",
            "manifests[0].metadata.namespace",
            "63",
        ),
        ("---\n---\n", "manifests", "no object"),
        ("kind: List\napiVersion: v1\nitems: [7]", "manifests[0].items[0]", "object"),
        ("[" * 100, "manifests", ""),
        (GREETING + "---\n" + "a: 1\n---\n" * 300, "manifests", "more than"),
        ("x" * 1_100_000, "manifests", "longer"),
    ],
)
def test_manifests_that_cannot_be_are_refused_with_their_place(text: str, field: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_manifests(text)
    assert caught.value.errors[0].field == field
    assert message in caught.value.errors[0].message


def test_a_refused_manifest_is_told_by_the_api(client: FlaskClient, alice: Person, cluster_id: str) -> None:
    error = error_of(apply(client, alice, cluster_id, "a: &x b"), 422)
    assert error["errors"][0]["field"] == "manifests"
    assert error_of(apply(client, alice, cluster_id, GREETING, namespace="Not One"), 422)
