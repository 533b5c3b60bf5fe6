"""Phases of a virtual cluster: its control plane within the namespace, what opens it, who may enter, and a try."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from app.clusters import Access, find_access_faults
from app.kernel.clock import utc_now
from app.kernel.errors import Permanent
from app.tenancy import WantedSpace, names
from tasks.clusters.gateways.kubernetes import Cluster, Object, ObjectNotFound, kinds, list_all
from tasks.phases import Wait
from tasks.tenancy import control_plane, manifests
from tasks.tenancy.members import Door, put_members
from tasks.tenancy.objects import find, is_going, put, remove
from tasks.tenancy.phases.base import Inside, Site
from tasks.tenancy.phases.trying import clean_up, try_space

OLDEST: Final = 26
_VERSION: Final = re.compile(r"v1\.([0-9]{1,3})\.")
_PARTS: Final = {"ca": "certificate-authority", "certificate": "client-certificate", "key": "client-key"}


class HostUnfit(Permanent):
    """The cluster cannot hold a virtual cluster."""

    code = "HOST_UNFIT"


class ControlPlaneRefused(Permanent):
    """What the control plane says opens it cannot be used."""

    code = "CONTROL_PLANE_REFUSED"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The control plane, as objects of the workspace's namespace."""

    site: Site

    def ensure(self) -> Wait | None:
        """Put all of it; raises HostUnfit where the host cannot hold it."""
        inside, cluster = _inside_of(self.site), self.site.cluster
        refuse_unfit(cluster, self.site.space, inside.rules.ingress_class)
        for kind, wanted in control_plane.objects_of(self.site.space, inside.address, inside.rules):
            # Not compared as the rest is: the host fills in much that is not said, and nobody of the tenant's is here.
            cluster.apply(kind, wanted, manager=names.MANAGER, force=True)
        return None

    def undo(self) -> Wait | None:
        """Take it away; its volume goes with the namespace."""
        inside = _inside_of(self.site)
        for kind, wanted in reversed(control_plane.objects_of(self.site.space, inside.address, inside.rules)):
            remove(self.site.cluster, kind, wanted["metadata"]["name"], self.site.space.name)
        return None


def refuse_unfit(cluster: Cluster, space: WantedSpace, ingress_class: str) -> None:
    """Raise HostUnfit, which says what is missing, before anything is made."""
    version = cluster.read_version().git_version
    minor = _VERSION.match(version)
    if minor is None or int(minor[1]) < OLDEST:
        raise HostUnfit(f"The cluster runs Kubernetes {version}; virtual clusters take 1.{OLDEST} or newer.")
    if find(cluster, control_plane.INGRESS_CLASS, ingress_class) is None:
        raise HostUnfit(f"The cluster has no ingress class {ingress_class}, by which virtual clusters are reached.")
    for kind in (kinds.STATEFUL_SET, kinds.SECRET, kinds.ROLE, control_plane.INGRESS):
        if not cluster.can_i("create", kind, space.name):
            raise HostUnfit(f"The cluster's credentials may not make a {kind.name} in namespace {space.name}.")


def _inside_of(site: Site) -> Inside:
    if site.inside is None:
        raise HostUnfit("This installation offers no virtual clusters.")
    return site.inside


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A control plane that answers, and what opens it, kept."""

    site: Site

    def ensure(self) -> Wait | None:
        """Wait for it, read its secret, ask it for its version. Of the secret only certificates are taken: where it is
        reached is for us to say."""
        inside, place = _inside_of(self.site), self.site.space.name
        stateful = find(self.site.cluster, kinds.STATEFUL_SET, control_plane.NAME, place) or {}
        if not (stateful.get("status") or {}).get("readyReplicas"):
            return Wait(f"the control plane to be ready{self._why_not(place)}")
        secret = find(self.site.cluster, kinds.SECRET, control_plane.SECRET, place)
        if secret is None:
            return Wait("the control plane to write what opens it")
        access = read_secret(secret, inside)
        with inside.enter(access) as virtual:
            version = virtual.read_version().git_version
        inside.keep(access, version)
        return None

    def undo(self) -> Wait | None:
        """What opens it goes with its workspace."""
        return None

    def _why_not(self, namespace: str) -> str:
        """Return why its pod does not run, by what its containers wait for."""
        for pod in list_all(self.site.cluster, kinds.POD, namespace, labels="app=vcluster"):
            for one in _containers_of(pod):
                waiting = (one.get("state") or {}).get("waiting") if isinstance(one.get("state"), dict) else None
                if isinstance(waiting, dict) and waiting.get("reason"):
                    return f": {str(waiting['reason'])[:100]} {str(waiting.get('message') or '')[:200]}".rstrip()
        return ""


def _containers_of(pod: Object) -> Iterator[dict[str, Any]]:
    status = pod.get("status") or {}
    for part in ("initContainerStatuses", "containerStatuses"):
        found = status.get(part)
        yield from (one for one in (found if isinstance(found, list) else []) if isinstance(one, dict))


def read_secret(secret: Object, inside: Inside) -> Access:
    """Return what opens a virtual cluster at its address, as its control plane's administrator; raises
    ControlPlaneRefused."""
    data = secret.get("data")
    said = data if isinstance(data, dict) else {}
    try:
        parts = {name: base64.b64decode(said[key], validate=True).decode("ascii") for name, key in _PARTS.items()}
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise ControlPlaneRefused("The control plane's secret holds no certificates.") from None
    access = Access(inside.address, ca=parts["ca"], certificate=parts["certificate"], key=parts["key"])
    if faults := find_access_faults(access, inside.access_rules, utc_now()):
        raise ControlPlaneRefused(f"What opens the control plane cannot be used: {faults[0].field} {faults[0].message}")
    return access


@contextmanager
def _entered(site: Site) -> Iterator[Cluster | None]:
    inside = _inside_of(site)
    access = inside.kept()
    if access is None:
        yield None
        return
    with inside.enter(access) as virtual:
        yield virtual


@dataclass(frozen=True, slots=True)
class VirtualMembers:
    """An account for each member within the virtual cluster, and what each may do in all of it."""

    site: Site

    def ensure(self) -> Wait | None:
        """Make the namespace of the accounts, the accounts and their bindings."""
        space = self.site.look().entered
        with _entered(self.site) as virtual:
            if virtual is None:
                return Wait("the control plane to answer")
            meta = {"name": space.access, "labels": manifests.labels_of(space)}
            put(virtual, kinds.NAMESPACE, {"metadata": meta})
            put_members(Door(virtual), self.site.look_again)
        return None

    def undo(self) -> Wait | None:
        """They go with the control plane."""
        return None


@dataclass(frozen=True, slots=True)
class VirtualVerify:
    """A pod of the virtual cluster that found a node of its host."""

    site: Site

    def ensure(self) -> Wait | None:
        """Make it, and wait until it has a node."""
        space = self.site.look().entered
        with _entered(self.site) as virtual:
            if virtual is None or find(virtual, kinds.SERVICE_ACCOUNT, "default", space.name) is None:
                return Wait("the virtual cluster's default account")
            return try_space(virtual, space, self.site.verify_image)

    def undo(self) -> Wait | None:
        """It goes with the control plane."""
        return None


@dataclass(frozen=True, slots=True)
class VirtualCleanUp:
    """The virtual cluster is as empty as it was before it was tried."""

    site: Site

    def ensure(self) -> Wait | None:
        """Delete the pod and wait until it is gone."""
        with _entered(self.site) as virtual:
            return None if virtual is None else clean_up(virtual, self.site.look().entered)

    def undo(self) -> Wait | None:
        """There is nothing to take back."""
        return None


@dataclass(frozen=True, slots=True)
class RemovePods:
    """No pods in the namespace: those of a virtual cluster belong to nothing on the host that could be scaled."""

    site: Site

    def ensure(self) -> Wait | None:
        """Ask for the end of all, and wait for it."""
        cluster, space = self.site.cluster, self.site.space
        left = [pod["metadata"]["name"] for pod in list_all(cluster, kinds.POD, space.name) if not self._end(pod)]
        return Wait(f"the pods {', '.join(left[:5])} to go") if left else None

    def undo(self) -> Wait | None:
        """Its control plane makes them again."""
        return None

    def _end(self, pod: Object) -> bool:
        if not is_going(pod):
            remove(self.site.cluster, kinds.POD, pod["metadata"]["name"], self.site.space.name)
        try:
            self.site.cluster.get(kinds.POD, pod["metadata"]["name"], self.site.space.name)
        except ObjectNotFound:
            return True
        return False
