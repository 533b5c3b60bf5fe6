"""Clusters as places: roles are given in them, and an organization that has some stays."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clusters.models import Cluster
from app.identity import finds_scope
from app.tenancy import Organization, OrganizationInUse, before_organization_deletion


@finds_scope("cluster")
def find_cluster(session: Session, cluster_id: UUID) -> UUID | None:
    """Return the organization of a cluster."""
    return session.scalar(select(Cluster.organization_id).where(Cluster.id == cluster_id))


@before_organization_deletion
def refuse_with_clusters(session: Session, organization: Organization) -> None:
    """Keep an organization that has clusters: what its provider made would be left behind."""
    theirs = select(func.count(Cluster.id)).where(Cluster.organization_id == organization.id)
    if count := session.execute(theirs).scalar_one():
        raise OrganizationInUse("There are clusters in this organization; remove them first.", clusters=count)
