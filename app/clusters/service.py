"""What clients ask of clusters: register, change, check, remove. The session comes first; nothing here commits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app import jobs
from app.clusters.access import AccessRules
from app.clusters.credentials import PARTS, reveal_access, seal_access, take_access
from app.clusters.errors import IllegalMove, refuse_taken_name
from app.clusters.events import ClusterCreated, ClusterDeleted, ClusterUpdated
from app.clusters.hooks import object_to_deletion
from app.clusters.intents import CheckCluster, ConnectCluster, ProvisionCluster, RemoveCluster
from app.clusters.models import DELETING, PROVISIONING, Cluster, ClusterHealth
from app.clusters.provisioning import change_order, is_for_provider, order_cluster
from app.identity import forget_place
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.kernel.intents import Intent
from app.kernel.principal import Principal
from app.tenancy import forget_kubeconfigs_on

# Its job asks it at once; where that is lost, the sweeps do.
FIRST_CHECK: Final = timedelta(minutes=1)
WISHES: Final = ("parameters", "credentials")


def register_cluster(
    session: Session,
    organization_id: UUID,
    caller: Principal,
    fields: dict[str, Any],
    *,
    vault: Vault,
    rules: AccessRules,
    allow_local: bool = False,
) -> tuple[Cluster, UUID]:
    """Write a cluster and the job that asks it for the first time, or has its provider make it; return both.

    Raises Invalid with a fault for each field, ClusterNameTaken.
    """
    is_made = is_for_provider(fields)
    access = take_access(fields, rules)
    if (access is None) is not is_made:
        why = "is missing: give it, or a server and what opens it"
        raise Invalid(errors=[FieldError("kubeconfig", "goes with a cluster that is there" if is_made else why)])
    wishes: dict[str, Any] = {name: fields.pop(name) for name in WISHES if name in fields}
    cluster = Cluster(id=new_id(), organization_id=organization_id, created_by=caller.user_id, **fields)
    cluster.health = ClusterHealth(next_check_at=None if is_made else database_now() + FIRST_CHECK)
    if access is None:
        order_cluster(session, cluster, wishes, caller, vault, allow_local=allow_local)
    else:
        seal_access(vault, cluster, access)
    session.add(cluster)
    with refuse_taken_name():
        session.flush()
    announce(session, ClusterCreated(organization_id, cluster.id, cluster.name, cluster.provider))
    intent = ProvisionCluster(cluster.id) if is_made else ConnectCluster(cluster.id)
    return cluster, accept_work(session, cluster, intent, caller)


def change_cluster(
    session: Session, cluster: Cluster, fields: dict[str, Any], caller: Principal, *, vault: Vault, rules: AccessRules
) -> Cluster:
    """Write the given fields of a cluster whose row is locked; what opens it is replaced, and checked soon. A provider
    that is asked for something else begins to make it.

    Raises Invalid with a fault for each field, ClusterNameTaken, IllegalMove.
    """
    if cluster.status == DELETING:
        raise IllegalMove("The cluster is being deleted.", status=cluster.status)
    is_partial = cluster.server is not None and fields.keys() & set(PARTS)
    stored = reveal_access(session, vault, cluster.id) if is_partial else None
    access = take_access(fields, rules, stored)
    wishes = change_order(session, cluster, fields, caller, vault)
    changed = sorted(name for name, value in fields.items() if getattr(cluster, name) != value)
    for name in changed:
        setattr(cluster, name, fields[name])
    if access is not None:
        seal_access(vault, cluster, access)
        cluster.health.next_check_at = database_now()
        forget_kubeconfigs_on(session, cluster.id)
        changed.append("credentials")
    changed += wishes
    if wishes:
        accept_work(session, cluster, ProvisionCluster(cluster.id), caller)
    with refuse_taken_name():
        session.flush()
    if changed:
        announce(session, ClusterUpdated(cluster.organization_id, cluster.id, tuple(changed)))
        session.refresh(cluster)
    return cluster


def ask_for_check(session: Session, cluster: Cluster, caller: Principal) -> UUID:
    """Accept the job that checks a cluster now; raises IllegalMove where there is nothing to check."""
    if cluster.status in (DELETING, PROVISIONING):
        raise IllegalMove(f"The cluster is {cluster.status}.", status=cluster.status)
    return accept_work(session, cluster, CheckCluster(cluster.id), caller)


def ask_for_removal(session: Session, cluster: Cluster, caller: Principal) -> UUID:
    """Accept the job that removes a cluster whose row is locked; raises ClusterInUse if a room objects, IllegalMove."""
    object_to_deletion(session, cluster)
    cluster.begin_deletion()
    cluster.health.next_check_at = cluster.health.next_inventory_at = None
    session.flush()
    session.refresh(cluster, ["updated_at"])
    return accept_work(session, cluster, RemoveCluster(cluster.id), caller)


def accept_work(session: Session, cluster: Cluster, intent: Intent, caller: Principal) -> UUID:
    """Accept a job about a cluster, which lies where the cluster does."""
    return jobs.accept(
        session,
        intent,
        organization_id=cluster.organization_id,
        cluster_id=cluster.id,
        created_by=caller.user_id,
        resource=("cluster", cluster.id),
    )


def forget_cluster(session: Session, cluster: Cluster) -> None:
    """Delete a cluster with all that is kept of it. Raises ClusterInUse if a room objects."""
    object_to_deletion(session, cluster)
    forget_place(session, cluster.id)
    announce(session, ClusterDeleted(cluster.organization_id, cluster.id, cluster.name))
    session.delete(cluster)
    session.flush()


def removal_retried(session: Session, job: jobs.Job) -> None:
    """Let a cluster go again whose removal is tried once more."""
    cluster = session.get(Cluster, job.resource_id, with_for_update=True)
    if cluster is not None and cluster.status != DELETING:
        cluster.begin_deletion()
        cluster.health.next_check_at = cluster.health.next_inventory_at = None
        session.flush()


def removal_ended(session: Session, job: jobs.Job) -> None:
    """Let a cluster that is still there after its removal have failed: whoever removes it again goes on."""
    cluster = session.get(Cluster, job.resource_id, with_for_update=True)
    if cluster is None or cluster.status != DELETING:
        return
    cluster.fail((job.error or {}).get("message", "Its removal was cancelled."))
    cluster.health.next_check_at = database_now() if cluster.server is not None else None
    session.flush()
