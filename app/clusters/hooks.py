"""What higher rooms add to clusters: reasons against a deletion. Registered at import."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.clusters.models import Cluster

Objection = Callable[[Session, Cluster], None]

_objections: list[Objection] = []


def before_deletion(objection: Objection) -> Objection:
    """Register a check that raises `ClusterInUse` when a cluster cannot go now."""
    _objections.append(objection)
    return objection


def object_to_deletion(session: Session, cluster: Cluster) -> None:
    """Let everyone who registered object."""
    for objection in _objections:
        objection(session, cluster)
