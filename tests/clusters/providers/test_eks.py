"""What only EKS does."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import time_machine
from botocore.signers import RequestSigner

from app.kernel.ids import new_id
from tasks.clusters.gateways.eks_token import make_eks_token
from tasks.clusters.gateways.providers import EksProvider, Order, ProviderAway, ProviderFailed, Ready, Working
from tasks.clusters.gateways.providers.eks import _ensure_control_plane
from tests.clusters.providers.test_contract import make, take_away
from tests.clusters.providers.worlds import EKS_WISHES, KEYS, eks_world

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
MAKER = {"kind": "eks", "region": "eu-west-1", "cluster": "hr-1", **KEYS}


def test_a_token_is_the_one_that_botocore_would_sign() -> None:
    session = boto3.session.Session(KEYS["access_key_id"], KEYS["secret_access_key"], region_name="eu-west-1")
    signer = RequestSigner(
        session.client("sts").meta.service_model.service_id,
        "eu-west-1",
        "sts",
        "v4",
        session.get_credentials(),
        session.events,
    )
    asked = {
        "method": "GET",
        "url": "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": "hr-1"},
        "context": {},
    }
    with time_machine.travel(NOW, tick=False):
        theirs = signer.generate_presigned_url(asked, region_name="eu-west-1", expires_in=60, operation_name="")
    token = make_eks_token(MAKER, NOW).removeprefix("k8s-aws-v1.")
    ours = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(theirs).query)
    assert KEYS["secret_access_key"] not in ours


def test_node_groups_are_made_and_resized(moto: str) -> None:
    with eks_world(moto) as world:
        order = world.order()
        make(world, order)
        bigger = [
            EKS_WISHES["node_groups"][0] | {"max": 5, "desired": 4},
            {**EKS_WISHES["node_groups"][0], "name": "b"},
        ]
        changed = type(order)(order.cluster_id, order.key, order.parameters | {"node_groups": bigger}, KEYS)
        state = world.provider.ensure(changed)
        assert isinstance(state, Working)
        assert "main" in state.message
        make(world, changed)
        client = boto3.client(
            "eks", region_name="eu-central-1", endpoint_url=moto, aws_access_key_id="a", aws_secret_access_key="b"
        )
        found = client.describe_nodegroup(clusterName=order.key, nodegroupName="main")["nodegroup"]
        assert found["scalingConfig"] == {"minSize": 1, "maxSize": 5, "desiredSize": 4}
        assert sorted(client.list_nodegroups(clusterName=order.key)["nodegroups"]) == ["b", "main"]
        client.close()
        take_away(world, changed)


def test_a_newer_version_is_asked_for_and_waited_for() -> None:
    """Moto knows no upgrades; what is asked of AWS is all there is to see."""
    asked: list[Any] = []

    class Client:
        def update_cluster_version(self, **given: Any) -> None:
            asked.append(given)

    with_version = EKS_WISHES | {"version": "v1.31"}
    order = Order(new_id(), "hr-1", with_version, KEYS)
    state = _ensure_control_plane(Client(), order, {"status": "ACTIVE", "version": "1.30"})
    assert isinstance(state, Working)
    assert asked == [{"name": "hr-1", "version": "1.31"}]
    assert isinstance(_ensure_control_plane(Client(), order, {"status": "UPDATING", "version": "1.30"}), Working)
    assert _ensure_control_plane(Client(), order, {"status": "ACTIVE", "version": "1.31"}) is None
    with pytest.raises(ProviderFailed, match="FAILED"):
        _ensure_control_plane(Client(), order, {"status": "FAILED", "version": "1.31"})


def test_an_aws_that_is_away_is_asked_again_and_one_that_refuses_is_not(moto: str) -> None:
    with eks_world(moto) as world:
        away = EksProvider("http://127.0.0.1:1")
        with pytest.raises(ProviderAway):
            away.ensure(world.order())
        twice = world.order(role_arn="not an arn at all")
        with pytest.raises(ProviderFailed) as caught:
            world.provider.ensure(twice)
        assert KEYS["secret_access_key"] not in str(caught.value)


def test_a_ready_cluster_is_opened_by_tokens_that_are_made_each_time(moto: str) -> None:
    with eks_world(moto) as world:
        order = world.order()
        make(world, order)
        state = world.provider.ensure(order)
        assert isinstance(state, Ready)
        assert state.access.token is None
        assert state.access.token_maker is not None
        assert state.access.token_maker["cluster"] == order.key
        assert KEYS["secret_access_key"] not in repr(state)
        take_away(world, order)
