"""Hosts: the clusters that workspaces may have a place on, as the room that owns clusters tells them. That room lies
above this one, so it registers itself here at import."""

from __future__ import annotations

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

    def choose(self, session: Session, organization_id: UUID) -> Host | None:
        """Return the cluster of an organization that a new workspace is best put on, locked in the same way."""
        ...


_hosts: list[Hosts] = []


def provides_hosts(hosts: Hosts) -> None:
    """Register the room that owns clusters; once, at import."""
    _hosts[:] = [hosts]


def is_usable(session: Session, cluster_id: UUID) -> bool:
    """Tell whether a cluster is there and answers."""
    host = _hosts[0].find(session, cluster_id) if _hosts else None
    return host is not None and host.reason is None


def find_host(session: Session, caller: Principal, organization_id: UUID, cluster_id: UUID | None) -> Host:
    """Return the cluster that a workspace of the organization is to be put on: the named one, or a fitting one.

    Raises NotFound for one of another organization, or that the caller may not see; Forbidden where the caller may not
    make namespaces; HostNotReady for one that does not answer; Invalid where there is none to choose.
    """
    host = _choose(session, organization_id) if cluster_id is None else _find(session, cluster_id)
    places = (host.organization_id, host.cluster_id)
    if host.organization_id != organization_id or not caller.may(SEE, *places):
        raise _no_cluster(host.cluster_id)
    if not caller.may(USE, *places):
        raise Forbidden("To put a workspace on a cluster takes the right to make namespaces.", required_permission=USE)
    if host.reason is not None:
        raise HostNotReady(f"The cluster cannot be used now: {host.reason}", cluster_id=str(host.cluster_id))
    return host


def _find(session: Session, cluster_id: UUID) -> Host:
    host = _hosts[0].find(session, cluster_id) if _hosts else None
    if host is None:
        raise _no_cluster(cluster_id)
    return host


def _choose(session: Session, organization_id: UUID) -> Host:
    host = _hosts[0].choose(session, organization_id) if _hosts else None
    if host is None:
        raise Invalid(errors=[FieldError("isolation", "The organization has no cluster to put a workspace on.")])
    return host


def _no_cluster(cluster_id: UUID) -> NotFound:
    return NotFound(resource_type="cluster", resource_id=str(cluster_id))
