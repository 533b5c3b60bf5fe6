"""The contract suite runs on the server in memory always, and on the real one where one can be started."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tasks.clusters.gateways.kubernetes import Kind, RestCluster, kinds
from tests.clusters.contract.world import World, eventually, find_starter, in_memory, really, refusal

SERVERS = ["memory", "real"] if find_starter() else ["memory"]


SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 5},
                "colour": {"type": "string", "enum": ["red", "blue"]},
                "parts": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
            },
        },
        "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
    },
}


@pytest.fixture(scope="session", params=SERVERS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server."""
    with in_memory() if request.param == "memory" else really(tmp_path_factory.mktemp("kube")) as world:
        yield world


@pytest.fixture
def cluster(world: World) -> RestCluster:
    """The server, for its administrator."""
    return world.admin


@pytest.fixture
def space(world: World) -> str:
    """A new namespace."""
    return world.new_namespace()


@pytest.fixture(scope="session")
def widget(world: World) -> Iterator[Kind]:
    """A custom kind."""
    group = f"g{uuid4().hex[:8]}.example.com"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}}
    spec = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [version | {"subresources": {"status": {}}}],
    }
    definition = {"metadata": {"name": f"widgets.{group}"}, "spec": spec}
    world.admin.create(kinds.CUSTOM_RESOURCE_DEFINITION, definition)
    kind = Kind(f"{group}/v1", "Widget", "widgets")
    eventually(lambda: refusal(lambda: world.admin.list_page(kind)) is None)
    yield kind
    world.admin.delete(kinds.CUSTOM_RESOURCE_DEFINITION, f"widgets.{group}")
