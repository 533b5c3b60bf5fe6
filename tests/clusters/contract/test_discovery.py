"""What a server is and has: its version, its kinds, and custom ones with their schemas."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.clusters.gateways.kubernetes import Kind, ObjectInvalid, ObjectNotFound, RestCluster, kinds
from tests.clusters.contract.world import eventually, refusal


def body(widget: Kind, space: str, **spec: Any) -> dict[str, Any]:
    named = {"apiVersion": widget.api_version, "kind": "Widget"}
    return named | {"metadata": {"name": "one", "namespace": space}, "spec": spec}


def test_a_server_tells_its_version_and_that_it_is_ready(cluster: RestCluster) -> None:
    assert cluster.read_version().git_version.startswith("v1.")
    assert cluster.is_ready()


@pytest.mark.parametrize(
    "kind", [kinds.POD, kinds.NAMESPACE, kinds.DEPLOYMENT, kinds.CLUSTER_ROLE, kinds.NETWORK_POLICY]
)
def test_kinds_are_found_by_what_manifests_call_them(cluster: RestCluster, kind: Kind) -> None:
    assert cluster.find_kind(kind.api_version, kind.name) == kind


@pytest.mark.parametrize(("api_version", "name"), [("v1", "Nothing"), ("apps/v9", "Deployment"), ("../../x", "Pod")])
def test_a_kind_that_is_not_there_is_not_found(cluster: RestCluster, api_version: str, name: str) -> None:
    with pytest.raises(ObjectNotFound):
        cluster.find_kind(api_version, name)


def test_a_custom_kind_is_found_and_made(cluster: RestCluster, space: str, widget: Kind) -> None:
    eventually(lambda: refusal(lambda: cluster.find_kind(widget.api_version, "Widget")) is None)
    assert cluster.find_kind(widget.api_version, "Widget") == widget
    made = cluster.create(widget, body(widget, space, size=3, colour="red", parts=["a"]))
    assert cluster.get(widget, "one", space) == made
    assert [one["metadata"]["name"] for one in cluster.list_page(widget, space).items] == ["one"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"colour": "red"}, "spec.size"),
        ({"size": 9}, "spec.size"),
        ({"size": "3"}, "spec.size"),
        ({"size": 1, "colour": "green"}, "spec.colour"),
        ({"size": 1, "parts": ["a", "B"]}, "spec.parts"),
    ],
)
def test_what_its_schema_forbids_is_refused_by_its_field(
    cluster: RestCluster, space: str, widget: Kind, spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(ObjectInvalid) as caught:
        cluster.create(widget, body(widget, space, **spec))
    assert any(cause.field.startswith(field) for cause in caught.value.causes)


def test_what_its_schema_does_not_know_is_left_out(cluster: RestCluster, space: str, widget: Kind) -> None:
    made = cluster.create(widget, body(widget, space, size=1, unknown="x"))
    assert made["spec"] == {"size": 1}


def test_its_status_is_written_apart(cluster: RestCluster, space: str, widget: Kind) -> None:
    made = cluster.create(widget, body(widget, space, size=1) | {"status": {"phase": "Ready"}})
    assert "status" not in made
    told = cluster.patch(widget, "one", space, change={"status": {"phase": "Ready"}}, subresource="status")
    assert told["status"] == {"phase": "Ready"}
    assert told["metadata"]["generation"] == 1


def test_a_custom_object_is_applied(cluster: RestCluster, space: str, widget: Kind) -> None:
    cluster.apply(widget, body(widget, space, size=1, colour="red"), manager="one")
    assert cluster.apply(widget, body(widget, space, size=2), manager="one")["spec"] == {"size": 2}
