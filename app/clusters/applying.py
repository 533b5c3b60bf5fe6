"""Applying manifests: what is asked, with the rights it is asked by. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app import jobs
from app.clusters.errors import ApplyGone, IllegalMove
from app.clusters.intents import ApplyManifests
from app.clusters.manifests import Manifest, read_manifests
from app.clusters.models import DELETING, PROVISIONING, Cluster, ClusterApply, apply_context
from app.identity import read_rights
from app.kernel.crypto import Vault
from app.kernel.ids import new_id
from app.kernel.principal import Principal, namespace_place, places_of

WRITE: Final = "namespaces:write"
WIDE: Final = "clusters:apply"


@dataclass(frozen=True, slots=True)
class ApplyRights:
    """Where somebody may write: to some namespaces or everywhere, and, if `wide`, what lies in no namespace, gives
    rights or bounds what is used."""

    everywhere: bool
    wide: bool
    namespaces: frozenset[str]

    def allow(self, namespace: str | None, *, guarded: bool) -> bool:
        """Tell whether an object may be written; one without a namespace lies in the whole cluster."""
        if namespace is None:
            return self.wide
        if guarded and not self.wide:
            return False
        return self.everywhere or namespace in self.namespaces

    def both(self, other: ApplyRights) -> ApplyRights:
        """Return what is allowed by both."""
        mine = other.namespaces if self.everywhere else self.namespaces
        theirs = self.namespaces if other.everywhere else other.namespaces
        return ApplyRights(self.everywhere and other.everywhere, self.wide and other.wide, mine & theirs)


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is to apply, and within which rights."""

    cluster_id: UUID
    manifests: Sequence[Manifest]
    namespace: str
    dry_run: bool
    force: bool
    rights: ApplyRights


def find_rights(caller: Principal, cluster: Cluster, namespaces: Iterable[str]) -> ApplyRights:
    """Return where in a cluster a caller may write, of some namespaces."""
    places = places_of(cluster)
    held = (name for name in namespaces if caller.may(WRITE, *places, namespace_place(cluster.id, name)))
    return ApplyRights(caller.may(WRITE, *places), caller.may(WIDE, *places), frozenset(held))


def ask_to_apply(
    session: Session, cluster: Cluster, caller: Principal, vault: Vault, *, text: str, rights: ApplyRights, **how: Any
) -> UUID:
    """Write what is to be applied with the job that applies it; returns the job's id.

    `how` are `namespace`, `dry_run` and `force`. Raises IllegalMove for a cluster that is not there yet, or goes. The
    job of somebody who may not read the cluster's jobs is their own.
    """
    if cluster.status in (DELETING, PROVISIONING):
        raise IllegalMove(f"The cluster is {cluster.status}.", status=cluster.status)
    apply_id = new_id()
    reads = caller.may("jobs:read", *places_of(cluster))
    job_id = jobs.accept(
        session,
        ApplyManifests(apply_id),
        organization_id=cluster.organization_id if reads else None,
        cluster_id=cluster.id if reads else None,
        created_by=caller.user_id,
        resource=("cluster", cluster.id),
    )
    session.add(
        ClusterApply(
            id=apply_id,
            cluster_id=cluster.id,
            job_id=job_id,
            manifests=vault.encrypt(text.encode(), apply_context(apply_id)),
            everywhere=rights.everywhere,
            wide=rights.wide,
            namespaces=sorted(rights.namespaces),
            created_by=caller.user_id,
            **how,
        )
    )
    session.flush()
    return job_id


def read_order(session: Session, vault: Vault, apply_id: UUID) -> Order:
    """Return what is to be applied, within the rights its asker had and has not lost since; raises ApplyGone."""
    found = select(ClusterApply).where(ClusterApply.id == apply_id).options(undefer(ClusterApply.manifests))
    asked = session.scalars(found).one_or_none()
    cluster = session.get(Cluster, asked.cluster_id) if asked else None
    asker = read_rights(session, asked.created_by) if asked else None
    if asked is None or cluster is None or asker is None:
        raise ApplyGone
    frozen = ApplyRights(asked.everywhere, asked.wide, frozenset(asked.namespaces))
    manifests = read_manifests(vault.decrypt(asked.manifests, apply_context(apply_id)).decode())
    named = {one.namespace or asked.namespace for one in manifests}
    rights = frozen.both(find_rights(asker, cluster, named))
    return Order(cluster.id, manifests, asked.namespace, asked.dry_run, asked.force, rights)
