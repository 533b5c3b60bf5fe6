"""Members on clusters: an account for each who may enter, their roles in each namespace, and tokens for who asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.clusters import Access, reveal_access, write_kubeconfig
from app.jobs import Run
from app.kernel.errors import Permanent
from app.tenancy import (
    ACTIVE,
    SUSPENDED,
    Rights,
    WantedSpace,
    WantedWorkspace,
    Workspace,
    forget_kubeconfigs,
    is_busy,
    keep_kubeconfig,
    names,
    reveal_virtual,
    want_quiet,
    want_workspace,
)
from tasks.clusters.gateways.kubernetes import Cluster, Object, ObjectNotFound, kinds
from tasks.clusters.opening import TURN_SECONDS, open_access_to, open_cluster
from tasks.tenancy import manifests
from tasks.tenancy.differences import find_differences
from tasks.tenancy.manifests import Wanted
from tasks.tenancy.objects import ours_of, put, remove
from tasks.tools import Tools

FIRST_WAIT: Final = 3.0
LONGEST_WAIT: Final = 30.0
ISSUE_SECONDS: Final = 30.0

Look = Callable[[], WantedWorkspace | None]


@dataclass(frozen=True, slots=True)
class Door:
    """Where members come in: by the namespaces of a workspace on its host, or into the virtual cluster that it is."""

    cluster: Cluster

    def bindings(self, wanted: WantedWorkspace) -> list[Wanted]:
        """Return who has which role."""
        if wanted.inside is not None:
            return [(kinds.CLUSTER_ROLE_BINDING, one) for one in manifests.bindings_inside(wanted.inside)]
        return [(kinds.ROLE_BINDING, one) for space in wanted.settled for one in manifests.bindings(space)]


class NoMember(Permanent):
    """The user is no member of the workspace any more."""

    code = "NOT_A_MEMBER"


class PlaceNotReady(Permanent):
    """The workspace cannot be entered now."""

    code = "WORKSPACE_NOT_READY"


def sync_members(run: Run, workspace_id: UUID, tools: Tools) -> dict[str, Any] | None:
    """Let those in who are members now, and end the accounts of all others, and with them their tokens.

    Accounts end at once, whatever else is done to the workspace: what a tenant can hold up must not keep alive who was
    shut out. To let somebody in waits for that to end; it may have read who was a member before.
    """
    wanted = look_at(run, workspace_id)
    if wanted is None:
        return {"synced": False}
    ended, settled = 0, None
    with enter(run, tools, wanted) as door:
        if door is not None:
            ended = end_strangers(door, lambda: look_at(run, workspace_id))
            settled = put_members(door, lambda: look_at_quiet(run, workspace_id))
    with run.recording() as (session, job):
        if door is not None and settled is None and _is_awaited(session, workspace_id):
            delay = min(FIRST_WAIT * 1.5 ** min(run.attempt - 1, 20), LONGEST_WAIT)
            run.wait(session, job, delay, "Waiting for what is being done to the workspace")
            return None
        _forget(session, workspace_id)
    return {"synced": settled is not None, "members": settled or 0, "ended": ended}


@contextmanager
def enter(run: Run, tools: Tools, wanted: WantedWorkspace, seconds: float = TURN_SECONDS) -> Iterator[Door | None]:
    """Open what members come into; None for a virtual cluster that sleeps, or has never answered: whoever wakes it lets
    them in."""
    if wanted.inside is None:
        with open_cluster(run, tools, wanted.host_id, seconds=seconds) as cluster:
            yield Door(cluster)
        return
    access = None if wanted.inside.suspended else reveal_inside(run, tools, wanted.own.workspace_id)
    if access is None:
        yield None
        return
    with open_access_to(run, tools, access, seconds) as cluster:
        yield Door(cluster)


def reveal_inside(run: Run, tools: Tools, workspace_id: UUID) -> Access | None:
    """Return what opens the virtual cluster of a workspace, or None."""
    with run.reading() as session:
        kept = reveal_virtual(session, tools.vault, workspace_id)
    return None if kept is None else Access.from_json(kept)


def look_at(run: Run, workspace_id: UUID) -> WantedWorkspace | None:
    """Return what a workspace has to have now; None when it is gone."""
    run.check()
    with run.reading() as session:
        workspace = session.get(Workspace, workspace_id)
        return want_workspace(session, workspace) if workspace is not None and workspace.is_provisioned else None


def look_at_quiet(run: Run, workspace_id: UUID) -> WantedWorkspace | None:
    """Return the same; also None while something is done to the workspace, or where it has failed."""
    run.check()
    with run.reading() as session:
        return want_quiet(session, workspace_id)


def _is_awaited(session: Session, workspace_id: UUID) -> bool:
    """Tell whether members will be let in yet; where something has just ended, that is at the next turn."""
    workspace = session.get(Workspace, workspace_id)
    return workspace is not None and (workspace.status in (ACTIVE, SUSPENDED) or is_busy(session, workspace_id))


def _forget(session: Session, workspace_id: UUID) -> None:
    workspace = session.get(Workspace, workspace_id)
    if workspace is not None and workspace.is_provisioned:
        forget_kubeconfigs(session, workspace, frozenset(want_workspace(session, workspace).entered.members))


def end_strangers(door: Door, look: Look) -> int:
    """End the accounts of a workspace that are nobody's who is a member; returns how many.

    Who is a member is read after the accounts were: whoever was let in meanwhile stays.
    """
    wanted = look()
    if wanted is None:
        return 0
    live = _accounts_of(door.cluster, wanted.entered)
    newest = look() if _strangers(live, wanted.entered) else None
    strangers = _strangers(live, newest.entered) if newest is not None else []
    for name in strangers:
        remove(door.cluster, kinds.SERVICE_ACCOUNT, name, wanted.entered.access)
    return len(strangers)


def put_members(door: Door, look: Look) -> int | None:
    """Make accounts and bindings what they have to be; returns how many members there are, or None where `look` does.

    What is to be is read again after it was written: of several who write at once, the last has read the newest.
    """
    written: WantedWorkspace | None = None
    while (wanted := look()) is not None:
        if written is not None and _users_of(wanted) == _users_of(written):
            return len(wanted.entered.members)
        put_accounts(door.cluster, wanted.entered)
        for kind, binding in door.bindings(wanted):
            put(door.cluster, kind, binding)
        written = wanted
    return None


def put_accounts(cluster: Cluster, space: WantedSpace) -> None:
    """Make those accounts of a workspace's members that are not there yet: they may be thousands."""
    live = _accounts_of(cluster, space)
    for account in manifests.accounts(space, space.members):
        found = live.get(account["metadata"]["name"])
        if found is None or find_differences(account, found):
            put(cluster, kinds.SERVICE_ACCOUNT, account)


def _accounts_of(cluster: Cluster, space: WantedSpace) -> dict[str, Object]:
    return {live["metadata"]["name"]: live for live in ours_of(cluster, kinds.SERVICE_ACCOUNT, space.access)}


def _strangers(live: Collection[str], space: WantedSpace) -> list[str]:
    known = {names.account_name(user_id) for user_id in space.members}
    return [name for name in live if name not in known]


def _users_of(wanted: WantedWorkspace) -> dict[str, Any]:
    return {space.name: space.users for space in (*wanted.settled, wanted.entered)}


def issue_kubeconfig(run: Run, workspace_id: UUID, user_id: UUID, tools: Tools) -> dict[str, Any]:
    """Fetch a token for a member, and keep the kubeconfig that holds it. Raises NoMember, PlaceNotReady."""

    def look() -> WantedWorkspace:
        run.check()
        with run.reading() as session:
            return want_workspace(session, _find_open(session, workspace_id, user_id)[0], also=(user_id,))

    wanted = look()
    account, space = names.account_name(user_id), wanted.entered
    with enter(run, tools, wanted, ISSUE_SECONDS) as door:
        if door is None:
            raise PlaceNotReady
        put_members(door, look)
        try:
            token = door.cluster.request_token(account, space.access, seconds=tools.kubeconfig_seconds)
        except ObjectNotFound:
            raise PlaceNotReady from None
    access = _access_by(_opening_of(run, tools, wanted), token.text)
    with run.recording() as (session, _job):
        workspace, role = _find_open(session, workspace_id, user_id)
        text = write_kubeconfig(workspace.slug, access, namespace=space.name)
        expires_at = keep_kubeconfig(session, tools.vault, workspace, user_id, role, text, token.seconds)
    return {"expires_at": expires_at.isoformat()}


def _opening_of(run: Run, tools: Tools, wanted: WantedWorkspace) -> Access:
    if wanted.inside is not None:
        found = reveal_inside(run, tools, wanted.own.workspace_id)
        if found is None:
            raise PlaceNotReady
        return found
    with run.reading() as session:
        return reveal_access(session, tools.vault, wanted.host_id)


def _access_by(opening: Access, token: str) -> Access:
    return Access(opening.server, ca=opening.ca, token=token, server_name=opening.server_name, verify=opening.verify)


def _find_open(session: Session, workspace_id: UUID, user_id: UUID) -> tuple[Workspace, str]:
    """Return a workspace that can be entered, and the role of one who may."""
    workspace = session.get(Workspace, workspace_id)
    if workspace is None or workspace.status != ACTIVE or workspace.host_id is None:
        raise PlaceNotReady
    role = Rights(session).role_of(user_id, workspace)
    if role is None:
        raise NoMember
    return workspace, role
