"""Hosts: the clusters that workspaces may have a place on, as the room that owns clusters tells them. That room lies
above this one, so it registers itself here at import."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Forbidden, Invalid, NotFound
from app.kernel.principal import Principal
from app.tenancy.errors import HostNotReady

USE = "namespaces:write"
SEE = "clusters:read"


@dataclass(frozen=True, slots=True)
class Host:
    """A cluster as a place for workspaces. `reason` says why it cannot be used now."""

    cluster_id: UUID
    organization_id: UUID
    reason: str | None = None


class Hosts(Protocol):
    """Knows the clusters."""

    def find(self, session: Session, cluster_id: UUID) -> Host | None:
        """Return a cluster, locked against its deletion until the transaction ends; None when there is none."""
        ...

    def choose(self, session: Session, organization_id: UUID, may_use: Callable[[UUID], bool]) -> Host | None:
        """Return the cluster of an organization that a new workspace is best put on, of those that may be used, locked
        in the same way."""
        ...

    def connected(self, session: Session, cluster_ids: Collection[UUID]) -> set[UUID]:
        """Return which of some clusters answer."""
        ...


_hosts: list[Hosts] = []


def provides_hosts(hosts: Hosts) -> None:
    """Register the room that owns clusters; once, at import."""
    _hosts[:] = [hosts]


def find_usable(session: Session, cluster_ids: Collection[UUID]) -> set[UUID]:
    """Return which of some clusters answer."""
    return _hosts[0].connected(session, cluster_ids) if _hosts else set()


def find_host(session: Session, caller: Principal, organization_id: UUID, cluster_id: UUID | None) -> Host:
    """Return the cluster that a workspace of the organization is to be put on: the named one, or a fitting one.

    Raises NotFound for one of another organization, or that the caller may not see; Forbidden where the caller may not
    make namespaces; HostNotReady for one that does not answer; Invalid where there is none to choose.
    """
    host = _find(session, cluster_id) if cluster_id else _choose(session, caller, organization_id)
    places = (host.organization_id, host.cluster_id)
    if host.organization_id != organization_id or not caller.may(SEE, *places):
        raise _no_cluster(host.cluster_id)
    if not caller.may(USE, *places):
        raise _may_not_use()
    if host.reason is not None:
        raise HostNotReady(f"The cluster cannot be used now: {host.reason}", cluster_id=str(host.cluster_id))
    return host


def _find(session: Session, cluster_id: UUID) -> Host:
    host = _hosts[0].find(session, cluster_id) if _hosts else None
    if host is None:
        raise _no_cluster(cluster_id)
    return host


def _choose(session: Session, caller: Principal, organization_id: UUID) -> Host:
    def may_use(cluster_id: UUID) -> bool:
        return all(caller.may(right, organization_id, cluster_id) for right in (SEE, USE))

    host = _hosts[0].choose(session, organization_id, may_use) if _hosts else None
    if host is None and _hosts and _hosts[0].choose(session, organization_id, lambda _: True):
        raise _may_not_use()
    if host is None:
        raise Invalid(errors=[FieldError("isolation", "The organization has no cluster to put a workspace on.")])
    return host


def _may_not_use() -> Forbidden:
    return Forbidden("To put a workspace on a cluster takes the right to make namespaces.", required_permission=USE)


def _no_cluster(cluster_id: UUID) -> NotFound:
    return NotFound(resource_type="cluster", resource_id=str(cluster_id))
