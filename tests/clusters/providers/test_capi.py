"""What only Cluster API does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest

from app.clusters import Access
from app.kernel.ids import new_id
from tasks.clusters.gateways.kubernetes import RestCluster
from tasks.clusters.gateways.providers import CapiProvider, Order, ProviderAway, ProviderFailed, Ready, Working
from tasks.clusters.gateways.providers.capi import CLUSTER
from tests.clusters.contract.world import LOOPBACK
from tests.clusters.gateways.settings import SHORT
from tests.clusters.providers.worlds import CAPI_WISHES, RULES, Management, managing
from tests.support.kubernetes import serving


@pytest.fixture
def management() -> Iterator[Management]:
    with serving() as server, managing(server) as management:
        yield management


def provider_of(cluster: RestCluster) -> CapiProvider:
    @contextmanager
    def open_cluster(_: UUID) -> Iterator[RestCluster]:
        yield cluster

    return CapiProvider(open_cluster, RULES)


def order(**changed: Any) -> Order:
    return Order(new_id(), "hr-1", CAPI_WISHES | {"management_cluster_id": str(new_id()), **changed})


def test_conditions_are_the_progress(management: Management) -> None:
    provider, wanted = provider_of(management.cluster), order()
    provider.ensure(wanted)
    (body,) = management.cluster.list_page(CLUSTER).items
    assert body["spec"]["topology"]["class"] == "small"
    conditions = [
        {"type": "InfrastructureReady", "status": "True"},
        {"type": "ControlPlaneReady", "status": "False", "message": "1 of 3 machines"},
    ]
    management.set_status(body, "Provisioning", conditions)
    state = provider.ensure(wanted)
    assert isinstance(state, Working)
    assert (state.phase, state.message, state.percent) == ("ControlPlaneReady", "1 of 3 machines", 45)


def test_another_version_is_waited_for_until_it_was_seen(management: Management) -> None:
    provider, wanted = provider_of(management.cluster), order()
    provider.ensure(wanted)
    management.progress()
    assert isinstance(provider.ensure(wanted), Ready)
    newer = Order(wanted.cluster_id, wanted.key, wanted.parameters | {"version": "v1.32.0"})
    assert isinstance(provider.ensure(newer), Working)
    management.progress()
    assert isinstance(provider.ensure(newer), Ready)


def test_what_holds_a_cluster_that_goes_is_told(management: Management) -> None:
    provider, wanted = provider_of(management.cluster), order()
    provider.ensure(wanted)
    (body,) = management.cluster.list_page(CLUSTER).items
    management.hold(body)
    provider.remove(wanted)
    state = provider.remove(wanted)
    assert isinstance(state, Working)
    assert "cluster.cluster.x-k8s.io" in state.message
    management.progress()
    assert provider.remove(wanted) is None


def test_a_cluster_of_somebody_else_is_left_alone(management: Management) -> None:
    provider = provider_of(management.cluster)
    provider.ensure(order())
    with pytest.raises(ProviderFailed, match="not ours"):
        provider.ensure(order())
    assert provider.remove(order()) is None
    assert len(management.cluster.list_page(CLUSTER).items) == 1


def test_what_fails_there_fails_here(management: Management) -> None:
    provider, wanted = provider_of(management.cluster), order()
    provider.ensure(wanted)
    (body,) = management.cluster.list_page(CLUSTER).items
    management.set_status(body, "Failed", [], failureMessage="no machines left")
    with pytest.raises(ProviderFailed, match="no machines left"):
        provider.ensure(wanted)


def test_a_management_cluster_that_is_away_is_asked_again() -> None:
    away = RestCluster(Access("https://127.0.0.1:1", token="t"), rules=LOOPBACK, limits=SHORT)
    with pytest.raises(ProviderAway, match="management cluster"):
        provider_of(away).ensure(order())
