"""Rights: RBAC, and the short-lived tokens of service accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks.clusters.gateways.kubernetes import (
    AccessDenied,
    NotAuthenticated,
    ObjectInvalid,
    ObjectNotFound,
    RestCluster,
    kinds,
)
from tests.clusters.contract.world import World, binding, config_map, eventually, refusal

MAP = kinds.CONFIG_MAP


def test_who_has_no_rights_may_nothing(world: World, space: str) -> None:
    with pytest.raises(AccessDenied, match='User "bob" cannot get resource "configmaps"'):
        world.bob.get(MAP, "c", space)
    with pytest.raises(AccessDenied, match="at the cluster scope"):
        world.bob.list_page(kinds.NAMESPACE)
    with pytest.raises(AccessDenied):
        world.bob.create(MAP, config_map(space))
    with pytest.raises(AccessDenied):
        list(world.bob.watch(MAP, space, since="1", seconds=4))


def test_one_is_told_what_one_may(world: World, cluster: RestCluster, space: str) -> None:
    assert cluster.can_i("create", kinds.POD, space)
    assert not world.bob.can_i("get", MAP, space)
    cluster.create(kinds.ROLE_BINDING, binding(space, "view", kind="User", name="bob"))
    eventually(lambda: world.bob.can_i("get", MAP, space))
    assert not world.bob.can_i("create", MAP, space)
    assert not world.bob.can_i("get", kinds.SECRET, space)
    assert not world.bob.can_i("get", MAP, "default")


def test_view_reads_and_does_not_write(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(MAP, config_map(space))
    cluster.create(kinds.ROLE_BINDING, binding(space, "view", kind="User", name="bob"))
    eventually(lambda: refusal(lambda: world.bob.get(MAP, "c", space)) is None)
    with pytest.raises(AccessDenied):
        world.bob.patch(MAP, "c", space, change={"data": {"a": "1"}})
    with pytest.raises(AccessDenied):
        world.bob.list_page(kinds.SECRET, space)
    with pytest.raises(AccessDenied):
        world.bob.list_page(MAP)


def test_edit_writes_and_gives_no_rights(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.ROLE_BINDING, binding(space, "edit", kind="User", name="bob"))
    eventually(lambda: world.bob.can_i("create", MAP, space))
    world.bob.create(MAP, config_map(space))
    with pytest.raises(AccessDenied):
        world.bob.create(kinds.ROLE_BINDING, binding(space, "view", kind="User", name="eve"))


def test_admin_gives_rights_in_its_namespace_and_none_in_the_cluster(
    world: World, cluster: RestCluster, space: str
) -> None:
    cluster.create(kinds.ROLE_BINDING, binding(space, "admin", kind="User", name="bob"))
    eventually(lambda: world.bob.can_i("create", kinds.ROLE_BINDING, space))
    world.bob.create(kinds.ROLE_BINDING, binding(space, "view", kind="User", name="eve"))
    with pytest.raises(AccessDenied):
        world.bob.create(kinds.CLUSTER_ROLE, {"metadata": {"name": f"r-{space}"}, "rules": []})
    with pytest.raises(AccessDenied):
        world.bob.create(kinds.NAMESPACE, {"metadata": {"name": f"{space}-2"}})


def test_a_role_of_ones_own_gives_what_it_says(world: World, cluster: RestCluster, space: str) -> None:
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"], "resourceNames": ["c"]}
    cluster.create(kinds.ROLE, {"metadata": {"name": "one", "namespace": space}, "rules": [rule]})
    bound = binding(space, "one", kind="User", name="bob")
    bound["roleRef"]["kind"] = "Role"
    cluster.create(kinds.ROLE_BINDING, bound)
    eventually(lambda: world.bob.can_i("get", MAP, space, name="c"))
    assert not world.bob.can_i("get", MAP, space, name="d")
    assert not world.bob.can_i("list", MAP, space)


def test_rights_end_with_their_binding(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.ROLE_BINDING, binding(space, "view", kind="User", name="bob"))
    eventually(lambda: world.bob.can_i("get", MAP, space))
    cluster.delete(kinds.ROLE_BINDING, "b-view", space)
    eventually(lambda: not world.bob.can_i("get", MAP, space))


def test_a_token_opens_what_its_account_may(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "member", "namespace": space}})
    subject = {"kind": "ServiceAccount", "name": "member", "namespace": space}
    cluster.create(kinds.ROLE_BINDING, binding(space, "edit", **subject))
    token = cluster.request_token("member", space, seconds=900)
    left = token.expires_at - datetime.now(UTC)
    assert timedelta(minutes=10) < left <= timedelta(minutes=16)
    member = world.open(token.text)
    eventually(lambda: member.can_i("create", MAP, space))
    assert member.create(MAP, config_map(space))["metadata"]["namespace"] == space
    assert not member.can_i("create", MAP, "default")
    member.close()


def test_a_token_ends_with_its_account(world: World, cluster: RestCluster, space: str) -> None:
    cluster.create(kinds.SERVICE_ACCOUNT, {"metadata": {"name": "member", "namespace": space}})
    member = world.open(cluster.request_token("member", space, seconds=900).text)
    assert not member.can_i("get", MAP, space)
    cluster.delete(kinds.SERVICE_ACCOUNT, "member", space)
    eventually(lambda: isinstance(refusal(lambda: member.can_i("get", MAP, space)), NotAuthenticated))
    member.close()


def test_a_token_that_nobody_gave_is_refused(world: World) -> None:
    stranger = world.open("a-token-that-nobody-gave")
    with pytest.raises(NotAuthenticated):
        stranger.list_page(kinds.NAMESPACE)
    stranger.close()


def test_a_token_is_given_for_accounts_that_are_there(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectNotFound):
        cluster.request_token("nobody", space, seconds=900)


def test_a_token_lives_for_ten_minutes_at_least(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid) as caught:
        cluster.request_token("default", space, seconds=60)
    assert [cause.field for cause in caught.value.causes] == ["spec.expirationSeconds"]


def test_all_accounts_of_a_namespace_are_a_group(world: World, cluster: RestCluster, space: str) -> None:
    group = f"system:serviceaccounts:{space}"
    cluster.create(kinds.ROLE_BINDING, binding(space, "view", kind="Group", name=group))
    member = world.open(cluster.request_token("default", space, seconds=900).text)
    eventually(lambda: member.can_i("list", kinds.POD, space))
    member.close()
