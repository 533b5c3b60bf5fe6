"""Says loudly when the suite could not ask a real API server."""

from __future__ import annotations

import os

import pytest

from tasks.clusters.gateways.kubernetes import kinds
from tests.clusters.contract.world import KUBE_UP, World


def test_a_real_api_server_is_asked_too(world: World) -> None:
    if not os.environ.get(KUBE_UP):
        pytest.skip(
            "NOT ASKED: a real Kubernetes API server. `make kube` says how to get one and runs this suite on it."
        )
    assert world.has(kinds.NAMESPACE, "kube-system")
