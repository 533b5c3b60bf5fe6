"""Clusters that a provider makes: what is asked of it, and what follows.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import jobs
from app.clusters.access import Access
from app.clusters.credentials import seal_access
from app.clusters.errors import ClusterGone, ClusterInUse, ProvisioningOverdue
from app.clusters.hooks import before_deletion
from app.clusters.models import DELETING, PROVISIONING, Cluster, key_of, vault_context
from app.clusters.providers import CAPI, LOCAL, PROVIDERS, read_wishes
from app.clusters.queries import find_usable_cluster
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid
from app.kernel.principal import Principal

LONGEST: Final = timedelta(hours=3)
APPLY: Final = "clusters:apply"
_SEALED: Final = "provider_credentials"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a provider is asked for. The credentials are its secrets."""

    provider: str
    key: str
    parameters: dict[str, Any]
    credentials: dict[str, str] = field(repr=False)


def is_for_provider(fields: dict[str, Any]) -> bool:
    """Tell whether a registration asks a provider to make a cluster, rather than naming one that is there."""
    kind = PROVIDERS.get(fields["provider"])
    opened = fields.keys() & {"kubeconfig", "server", "token", "certificate"}
    if kind is not None and kind.managed and (not opened or kind.name != LOCAL):
        return True
    if others := sorted(fields.keys() & {"parameters", "credentials"}):
        raise Invalid(errors=[FieldError(name, "goes with a provider that makes clusters") for name in others])
    return False


def order_cluster(
    session: Session, cluster: Cluster, fields: dict[str, Any], caller: Principal, vault: Vault, *, allow_local: bool
) -> None:
    """Write what a provider is to make. Raises Invalid with a fault for each field, also where the provider cannot be
    used here; NotFound, ClusterNotReady for a management cluster that the caller may not write to."""
    kind = PROVIDERS[cluster.provider]
    if obstacle := kind.find_obstacle(allow_local):
        raise Invalid(errors=[FieldError("provider", f"cannot be used here: {obstacle}")])
    parameters, credentials = fields.pop("parameters", {}), fields.pop("credentials", {})
    read_wishes(kind.name, parameters, credentials)
    if kind.name == CAPI:
        management = UUID(parameters["management_cluster_id"])
        find_usable_cluster(session, caller, management, cluster.organization_id, APPLY)
    cluster.managed, cluster.status, cluster.parameters = True, PROVISIONING, parameters
    cluster.region = cluster.region or parameters.get("region")
    _seal(vault, cluster, credentials)


def change_order(
    session: Session, cluster: Cluster, fields: dict[str, Any], caller: Principal, vault: Vault
) -> list[str]:
    """Take the wishes out of `fields` and write them; returns which were changed. Raises Invalid, NotFound."""
    given = {name: fields.pop(name) for name in ("parameters", "credentials") if name in fields}
    if given and not cluster.managed:
        raise Invalid(errors=[FieldError(name, "goes with a provider that makes clusters") for name in given])
    parameters = given.get("parameters", cluster.parameters)
    if not given or (parameters == cluster.parameters and "credentials" not in given):
        return []
    credentials = given.get("credentials") or read_wishes_of(session, vault, cluster.id).credentials
    read_wishes(cluster.provider, parameters, credentials)
    fixed = [
        name
        for name in ("region", "management_cluster_id", "namespace")
        if name in {**parameters, **cluster.parameters}
    ]
    if moved := [name for name in fixed if parameters.get(name) != cluster.parameters.get(name)]:
        raise Invalid(errors=[FieldError(f"parameters.{name}", "cannot be changed") for name in moved])
    if cluster.provider == CAPI:
        management = UUID(parameters["management_cluster_id"])
        find_usable_cluster(session, caller, management, cluster.organization_id, APPLY)
    cluster.parameters = parameters
    _seal(vault, cluster, credentials)
    cluster.begin_provisioning()
    cluster.health.next_check_at = cluster.health.next_inventory_at = None
    return sorted(given)


def read_wishes_of(session: Session, vault: Vault, cluster_id: UUID) -> Wishes:
    """Return what a provider is asked for; raises ClusterGone, Undecryptable."""
    columns = (Cluster.provider, Cluster.parameters, Cluster.provider_credentials)
    row = session.execute(select(*columns).where(Cluster.id == cluster_id, Cluster.managed)).one_or_none()
    if row is None or row.provider_credentials is None:
        raise ClusterGone
    opened = vault.decrypt(row.provider_credentials, vault_context(cluster_id, _SEALED))
    return Wishes(row.provider, key_of(cluster_id), row.parameters, orjson.loads(opened))


def refuse_overdue(session: Session, job: jobs.Job) -> None:
    """Raise ProvisioningOverdue where a provider has worked for longer than any does.

    That counts from when the cluster's row began to say so, which a job that is tried again does anew.
    """
    since = select(database_now() - Cluster.updated_at > LONGEST).where(Cluster.id == job.resource_id)
    if session.scalar(since):
        raise ProvisioningOverdue


def keep_made(session: Session, vault: Vault, cluster_id: UUID, access: Access) -> None:
    """Keep what opens a cluster that its provider has made; it waits for its first check now."""
    cluster = session.get(Cluster, cluster_id, with_for_update=True, populate_existing=True)
    if cluster is None:
        raise ClusterGone
    if cluster.status == PROVISIONING:
        cluster.await_check()
    seal_access(vault, cluster, access)
    cluster.health.next_check_at = database_now()
    session.flush()


def provisioning_retried(session: Session, job: jobs.Job) -> None:
    """Let a cluster be made again whose making is tried once more."""
    cluster = session.get(Cluster, job.resource_id, with_for_update=True)
    if cluster is not None and cluster.status not in (PROVISIONING, DELETING):
        cluster.begin_provisioning()
        cluster.health.next_check_at = cluster.health.next_inventory_at = None
        session.flush()


def provisioning_ended(session: Session, job: jobs.Job) -> None:
    """Let a cluster whose making has failed, or was cancelled, say so; what was made of it goes with its removal."""
    cluster = session.get(Cluster, job.resource_id, with_for_update=True)
    if cluster is None or cluster.status != PROVISIONING or job.status == jobs.SUCCEEDED:
        return
    cluster.fail((job.error or {}).get("message", "Its making was cancelled; remove it to take away what there is."))
    session.flush()


@before_deletion
def refuse_with_children(session: Session, cluster: Cluster) -> None:
    """Keep a management cluster as long as there are clusters that it has made."""
    theirs = Cluster.parameters["management_cluster_id"].astext == str(cluster.id)
    if count := session.execute(select(func.count(Cluster.id)).where(theirs, Cluster.managed)).scalar_one():
        raise ClusterInUse("Clusters that this one manages are still there.", clusters=count)


def _seal(vault: Vault, cluster: Cluster, credentials: dict[str, Any]) -> None:
    cluster.provider_credentials = vault.encrypt(orjson.dumps(credentials), vault_context(cluster.id, _SEALED))
