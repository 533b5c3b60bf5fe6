"""What there is on a cluster, from its last inventory: no cluster is asked, so a dead one costs a reader nothing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.clusters.models import DEPLOYMENTS, EVENTS, NAMESPACES, NODES, PODS, SERVICES, Cluster, ClusterObject
from app.clusters.queries import namespaces_with, objects_of
from app.clusters.routes.base import blueprint
from app.clusters.schemas import inventory as schemas
from app.http import Schema, load, principal, requires, transaction

SORT = {"name": ClusterObject.name, "created_at": ClusterObject.created_at}
READ = "namespaces:read"


def _add_list(
    kind: str,
    schema: type[Schema],
    summary: str,
    *,
    permission: str = READ,
    filters: type[Schema] = schemas.NamespacedFilters,
    default: str = "name",
) -> None:
    """Add the route that lists the objects of a kind."""

    class Objects(MethodView):
        @blueprint.paged(schema, sort=SORT, default=default, filters=filters)
        @requires(permission)
        def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
            return _visible(cluster_id, kind, filters, permission)

    Objects.get.__doc__ = summary
    blueprint.route(f"/clusters/<uuid:cluster_id>/{kind}", endpoint=kind.title())(Objects)


_add_list(
    NODES,
    schemas.NodeSchema,
    "The nodes of a cluster, as they were last seen",
    permission="clusters:read",
    filters=schemas.ObjectFilters,
)
_add_list(
    NAMESPACES,
    schemas.NamespaceSchema,
    "The namespaces of a cluster that the caller may read",
    filters=schemas.ObjectFilters,
)
_add_list(PODS, schemas.PodSchema, "The pods in the namespaces that the caller may read, as they were last seen")
_add_list(
    SERVICES, schemas.ServiceSchema, "The services in the namespaces that the caller may read, as they were last seen"
)
_add_list(
    DEPLOYMENTS,
    schemas.DeploymentSchema,
    "The deployments in the namespaces that the caller may read, as they were last seen",
)
_add_list(
    EVENTS,
    schemas.ClusterEventSchema,
    "What Kubernetes told of the namespaces that the caller may read; `status` is `Normal` or `Warning`",
    default="-created_at",
)


def _visible(cluster_id: UUID, kind: str, filters: dict[str, Any], permission: str) -> Select[ClusterObject]:
    with transaction() as session:
        namespaces = _find_namespaces(session, cluster_id) if permission == READ else None
        if namespaces is None:
            load(session, Cluster, cluster_id)
    return objects_of(cluster_id, kind, filters, namespaces)


def _find_namespaces(session: Session, cluster_id: UUID) -> list[str] | None:
    """Return the namespaces the caller may read where they may not read all (None)."""
    return namespaces_with(session, principal(), READ, cluster_id) or None
