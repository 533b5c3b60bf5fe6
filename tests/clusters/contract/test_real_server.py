"""Says loudly when the suite could not ask a real API server."""

from __future__ import annotations

import pytest

from tasks.clusters.gateways.kubernetes import kinds
from tests.clusters.contract.world import World, find_starter


def test_a_real_api_server_is_asked_too(world: World) -> None:
    if not find_starter():
        pytest.skip(
            "NOT ASKED: a real Kubernetes API server. `make kube` says how to get one and runs this suite on it."
        )
    assert world.has(kinds.NAMESPACE, "kube-system")
