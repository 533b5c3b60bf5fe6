"""Members on clusters: an account for each who may enter, their roles in each namespace, and tokens for who asks."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from app.clusters import Access, reveal_access, write_kubeconfig
from app.jobs import Run
from app.kernel.errors import Permanent
from app.tenancy import (
    ACTIVE,
    SUSPENDED,
    Rights,
    WantedWorkspace,
    Workspace,
    forget_kubeconfigs,
    is_busy,
    keep_kubeconfig,
    names,
    want_workspace,
)
from tasks.clusters.gateways.kubernetes import Cluster, ObjectNotFound, kinds
from tasks.clusters.opening import open_cluster
from tasks.tenancy import manifests
from tasks.tenancy.objects import ours_of, put, put_all, remove
from tasks.tools import Tools

BUSY_SECONDS: Final = 3.0


class NoMember(Permanent):
    """The user is no member of the workspace any more."""

    code = "NOT_A_MEMBER"


class PlaceNotReady(Permanent):
    """The workspace cannot be entered now."""

    code = "WORKSPACE_NOT_READY"


def sync_members(run: Run, workspace_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Let those in who are members now, and end the accounts of all others, and with them their tokens.

    While something else is done to the workspace this waits: who was a member when that began is not let in by it for
    good.
    """
    with run.recording() as (session, job):
        workspace = session.get(Workspace, workspace_id)
        if workspace is None or not workspace.is_provisioned:
            return {"synced": False}
        if is_busy(session, workspace_id):
            run.wait(session, job, BUSY_SECONDS, "Waiting for what is being done to the workspace")
            return None
        if workspace.status not in (ACTIVE, SUSPENDED):
            return {"synced": False}
        wanted = want_workspace(session, workspace)
    with open_cluster(run, tools, wanted.host_id) as cluster:
        ended = put_members(cluster, wanted)
    with run.recording() as (session, _job):
        forget_kubeconfigs(session, session.get_one(Workspace, workspace_id), frozenset(wanted.own.members))
    return {"synced": True, "members": len(wanted.own.members), "ended": ended}


def put_members(cluster: Cluster, wanted: WantedWorkspace) -> int:
    """Make accounts and bindings what they have to be; returns how many accounts were ended."""
    own = wanted.own
    put_all(cluster, [(kinds.SERVICE_ACCOUNT, account) for account in manifests.accounts(own, own.members)])
    for space in wanted.settled:
        for binding in manifests.bindings(space):
            put(cluster, kinds.ROLE_BINDING, binding)
    known = {names.account_name(user_id) for user_id in own.members}
    strangers = [
        live["metadata"]["name"]
        for live in ours_of(cluster, kinds.SERVICE_ACCOUNT, own.access)
        if live["metadata"]["name"] not in known
    ]
    for name in strangers:
        remove(cluster, kinds.SERVICE_ACCOUNT, name, own.access)
    return len(strangers)


def issue_kubeconfig(run: Run, workspace_id: UUID, user_id: UUID, tools: Tools) -> dict[str, Any]:
    """Fetch a token for a member, and keep the kubeconfig that holds it. Raises NoMember, PlaceNotReady."""
    with run.reading() as session:
        workspace = session.get(Workspace, workspace_id)
        if workspace is None or workspace.status != ACTIVE or workspace.host_id is None:
            raise PlaceNotReady
        rights = Rights(session)
        role = rights.role_of(user_id, workspace)
        if role is None:
            raise NoMember
        wanted = want_workspace(session, workspace, rights, also=(user_id,))
        opening = reveal_access(session, tools.vault, workspace.host_id)
    own, account = wanted.own, names.account_name(user_id)
    with open_cluster(run, tools, wanted.host_id) as cluster:
        put_all(cluster, [(kinds.SERVICE_ACCOUNT, one) for one in manifests.accounts(own, [user_id])])
        for space in wanted.settled:
            put_all(cluster, [(kinds.ROLE_BINDING, one) for one in manifests.bindings(space)])
        try:
            token = cluster.request_token(account, own.access, seconds=tools.kubeconfig_seconds)
        except ObjectNotFound:
            raise PlaceNotReady from None
    access = Access(
        opening.server, ca=opening.ca, token=token.text, server_name=opening.server_name, verify=opening.verify
    )
    text = write_kubeconfig(workspace.slug, access, namespace=own.name)
    with run.recording() as (session, _job):
        keep_kubeconfig(session, tools.vault, workspace, user_id, role, text, token.expires_at)
    return {"expires_at": token.expires_at.isoformat()}
