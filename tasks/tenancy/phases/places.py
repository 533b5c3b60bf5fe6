"""Phases that make what a space consists of: its namespace, what bounds it, and who may enter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from app.tenancy import (
    BelowUse,
    NamespaceNotOurs,
    WantedSpace,
    find_less,
    find_over_use,
    is_same_amount,
    read_amounts,
)
from tasks.clusters.gateways.kubernetes import Cluster, Object, ObjectExists, kinds
from tasks.phases import Wait
from tasks.tenancy import manifests
from tasks.tenancy.members import put_accounts
from tasks.tenancy.objects import find, is_going, is_ours, put, put_all, put_labels, remove, remove_namespace
from tasks.tenancy.phases.base import Site


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of ours. One that is there already and is not this workspace's is refused, and never touched."""

    site: Site

    def ensure(self) -> Wait | None:
        """Make it, and wait for what the cluster puts into it."""
        space = self.site.space
        return _ensure_namespace(self.site, space, manifests.namespace(space, self.site.provisioning_id))

    def undo(self) -> Wait | None:
        """Delete it with all that is in it."""
        return _still(remove_namespace(self.site.cluster, self.site.space.name, self.site.space.workspace_id))


def _ensure_namespace(site: Site, space: WantedSpace, wanted: Object) -> Wait | None:
    cluster, name = site.cluster, wanted["metadata"]["name"]
    live = find(cluster, kinds.NAMESPACE, name)
    if live is None:
        try:
            live = cluster.create(kinds.NAMESPACE, wanted)
        except ObjectExists:
            return Wait(f"namespace {name}")
    elif not is_ours(live, space.workspace_id):
        raise NamespaceNotOurs(namespace=name)
    elif is_going(live):
        return Wait(f"namespace {name} to go before it can be made anew")
    else:
        put(cluster, kinds.NAMESPACE, wanted)
    if find(cluster, kinds.SERVICE_ACCOUNT, "default", name) is None:
        return Wait(f"the default account of namespace {name}")
    return None


def _still(holding: str | None) -> Wait | None:
    return None if holding is None else Wait(holding)


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels that users give a project's namespace."""

    site: Site

    def ensure(self) -> Wait | None:
        """Write those there are, and take back those there are no more."""
        space = self.site.space
        gone = {name: None for name in self.site.labels if name not in space.labels}
        labels = {**gone, **manifests.namespace(space)["metadata"]["labels"]}
        put_labels(self.site.cluster, {"metadata": {"name": space.name, "labels": labels}})
        return None

    def undo(self) -> Wait | None:
        """Write those there were: the database has them again."""
        return self.ensure()


@dataclass(frozen=True, slots=True)
class Quota:
    """The quota of a new space, with the limits of its containers."""

    site: Site

    def ensure(self) -> Wait | None:
        """Put both, and wait until the cluster counts."""
        put(self.site.cluster, kinds.LIMIT_RANGE, manifests.limit_range(self.site.space))
        return put_quota(self.site.cluster, lambda: self.site.look_again().project(self.site.project_id))

    def undo(self) -> Wait | None:
        """Take both away."""
        for kind, name in ((kinds.RESOURCE_QUOTA, manifests.QUOTA), (kinds.LIMIT_RANGE, manifests.LIMITS)):
            remove(self.site.cluster, kind, name, self.site.space.name)
        return None


@dataclass(frozen=True, slots=True)
class Share:
    """The quota of a space that was there before; `of_parent` says whose it is. Taken back, it is what the database
    says again. One that `only_lowers` waits with what it is to get until others have given it up."""

    site: Site
    of_parent: bool = False
    only_lowers: bool = False

    def ensure(self) -> Wait | None:
        """Put it, unless more is used than it would allow."""
        return put_quota(self.site.cluster, self.lowered if self.only_lowers else self.wanted)

    def undo(self) -> Wait | None:
        """Put what there was."""
        self.put(self.wanted())
        return None

    def put(self, space: WantedSpace) -> None:
        """Put a quota, whatever is used; where its namespace is gone there is none."""
        if find(self.site.cluster, kinds.NAMESPACE, space.name) is not None:
            put(self.site.cluster, kinds.RESOURCE_QUOTA, manifests.quota(space))

    def wanted(self) -> WantedSpace:
        """Return the space with the quota that it is to have."""
        return self.site.look_again().project(self.site.parent_id if self.of_parent else self.site.project_id)

    def lowered(self) -> WantedSpace:
        """Return the space with, of each resource, what it has or what it is to have, whichever is less."""
        space = self.wanted()
        live = find(self.site.cluster, kinds.RESOURCE_QUOTA, manifests.QUOTA, space.name) or {}
        has = read_amounts((live.get("spec") or {}).get("hard"))
        return replace(space, hard={name: find_less(amount, has.get(name)) for name, amount in space.hard.items()})


@dataclass(frozen=True, slots=True)
class Rest:
    """What a share gets when others have given it up; taken back, it is lowered before they have it again."""

    share: Share

    def ensure(self) -> Wait | None:
        """Put the share whole."""
        return put_quota(self.share.site.cluster, self.share.wanted)

    def undo(self) -> Wait | None:
        """Lower it."""
        self.share.put(self.share.lowered())
        return None


def put_quota(cluster: Cluster, read: Callable[[], WantedSpace]) -> Wait | None:
    """Put a quota as it is wanted when it is there: projects that are made at once each read what the others leave."""
    space = read()
    while True:
        _refuse_below_use(cluster, space)
        live = put(cluster, kinds.RESOURCE_QUOTA, manifests.quota(space))
        newest = read()
        if newest.hard == space.hard:
            break
        space = newest
    counted = read_amounts((live.get("status") or {}).get("hard"))
    if all(is_same_amount(counted.get(name), amount) for name, amount in space.hard.items()):
        return None
    return Wait(f"the cluster to count the quota of namespace {space.name}")


def _refuse_below_use(cluster: Cluster, space: WantedSpace) -> None:
    live = find(cluster, kinds.RESOURCE_QUOTA, manifests.QUOTA, space.name)
    over = find_over_use(space.hard, read_amounts(((live or {}).get("status") or {}).get("used")))
    if over:
        told = ", ".join(f"{name}: {used} of {allowed}" for name, (used, allowed) in sorted(over.items()))
        raise BelowUse(f"Namespace {space.name} uses more than would be left to it ({told}).")


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Nothing gets in or out, but within the namespace and to find names."""

    site: Site

    def ensure(self) -> Wait | None:
        """Put the policies."""
        policies = manifests.network_policies(self.site.space)
        put_all(self.site.cluster, [(kinds.NETWORK_POLICY, policy) for policy in policies])
        return None

    def undo(self) -> Wait | None:
        """Take them away."""
        for policy in manifests.network_policies(self.site.space):
            remove(self.site.cluster, kinds.NETWORK_POLICY, policy["metadata"]["name"], self.site.space.name)
        return None


@dataclass(frozen=True, slots=True)
class Accounts:
    """A service account for each member, in a namespace in which no member may do anything."""

    site: Site

    def ensure(self) -> Wait | None:
        """Make the namespace and the accounts."""
        space = self.site.space
        wanted = manifests.access_namespace(space, self.site.provisioning_id)
        waiting = _ensure_namespace(self.site, space, wanted)
        if waiting is None:
            put_accounts(self.site.cluster, space)
        return waiting

    def undo(self) -> Wait | None:
        """Delete the namespace, and with it every token that was given out."""
        return _still(remove_namespace(self.site.cluster, self.site.space.access, self.site.space.workspace_id))


@dataclass(frozen=True, slots=True)
class Roles:
    """What each member may do in the space."""

    site: Site

    def ensure(self) -> Wait | None:
        """Bind the members to the cluster's roles."""
        bindings = manifests.bindings(self.site.space)
        put_all(self.site.cluster, [(kinds.ROLE_BINDING, binding) for binding in bindings])
        return None

    def undo(self) -> Wait | None:
        """Bind nobody any more."""
        for binding in manifests.bindings(self.site.space):
            remove(self.site.cluster, kinds.ROLE_BINDING, binding["metadata"]["name"], self.site.space.name)
        return None
