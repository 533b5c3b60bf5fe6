"""Where the containers of workspaces run that have a place on a cluster."""

from __future__ import annotations

import logging
from uuid import UUID

from sqlalchemy import select

from app.clusters import ClusterGone, reveal_access
from app.jobs import Run
from app.kernel.crypto import Undecryptable, Vault
from app.kernel.db import Database
from app.kernel.errors import Permanent, Refusal
from app.tenancy import Workspace, refuse_unready
from tasks.pipelines.gateways.containers import Site
from tasks.tools import Tools

log = logging.getLogger(__name__)


class PlaceNotReady(Permanent):
    """The workspace has no place on a cluster that can be used now."""

    code = "WORKSPACE_NOT_READY"


def find_site(run: Run, tools: Tools, workspace_id: UUID) -> Site:
    """Return the place of a workspace; raises PlaceNotReady, ClusterGone or Undecryptable."""
    with run.reading() as session:
        workspace = session.get_one(Workspace, workspace_id)
        try:
            refuse_unready(workspace)
        except Refusal as error:
            raise PlaceNotReady(f"Its containers run on the workspace's cluster. {error.message}") from error
        if workspace.host_id is None:
            raise PlaceNotReady
        access = reveal_access(session, tools.vault, workspace.host_id)
        return Site(str(workspace.host_id), workspace.namespace, access)


def find_sites(database: Database, vault: Vault) -> list[Site]:
    """Return the clusters on which workspaces have a place, each with all of its namespaces."""
    sites: list[Site] = []
    with database.transaction() as session:
        hosts = session.scalars(select(Workspace.host_id).where(Workspace.host_id.is_not(None)).distinct())
        for host_id in filter(None, hosts):
            try:
                sites.append(Site(str(host_id), None, reveal_access(session, vault, host_id)))
            except (ClusterGone, Undecryptable) as error:
                log.warning("a cluster cannot be opened", extra={"error": type(error).__name__})
    return sites
