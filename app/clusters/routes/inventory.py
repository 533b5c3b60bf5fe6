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
from app.http import load, principal, requires, transaction

SORT = {"name": ClusterObject.name, "created_at": ClusterObject.created_at}
READ = "namespaces:read"


@blueprint.route("/clusters/<uuid:cluster_id>/nodes")
class Nodes(MethodView):
    """The nodes of a cluster."""

    @blueprint.paged(schemas.NodeSchema, sort=SORT, default="name", filters=schemas.ObjectFilters)
    @requires("clusters:read")
    def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
        """The nodes of a cluster, as they were last seen"""
        with transaction() as session:
            load(session, Cluster, cluster_id)
        return objects_of(cluster_id, NODES, filters)


@blueprint.route("/clusters/<uuid:cluster_id>/namespaces")
class Namespaces(MethodView):
    """The namespaces of a cluster."""

    @blueprint.paged(schemas.NamespaceSchema, sort=SORT, default="name", filters=schemas.ObjectFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
        """The namespaces of a cluster that the caller may read"""
        return _visible(cluster_id, NAMESPACES, filters)


@blueprint.route("/clusters/<uuid:cluster_id>/pods")
class Pods(MethodView):
    """The pods of a cluster."""

    @blueprint.paged(schemas.PodSchema, sort=SORT, default="name", filters=schemas.NamespacedFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
        """The pods in the namespaces that the caller may read, as they were last seen"""
        return _visible(cluster_id, PODS, filters)


@blueprint.route("/clusters/<uuid:cluster_id>/services")
class Services(MethodView):
    """The services of a cluster."""

    @blueprint.paged(schemas.ServiceSchema, sort=SORT, default="name", filters=schemas.NamespacedFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
        """The services in the namespaces that the caller may read, as they were last seen"""
        return _visible(cluster_id, SERVICES, filters)


@blueprint.route("/clusters/<uuid:cluster_id>/deployments")
class Deployments(MethodView):
    """The deployments of a cluster."""

    @blueprint.paged(schemas.DeploymentSchema, sort=SORT, default="name", filters=schemas.NamespacedFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
        """The deployments in the namespaces that the caller may read, as they were last seen"""
        return _visible(cluster_id, DEPLOYMENTS, filters)


@blueprint.route("/clusters/<uuid:cluster_id>/events")
class Events(MethodView):
    """The events of a cluster."""

    @blueprint.paged(schemas.ClusterEventSchema, sort=SORT, default="-created_at", filters=schemas.NamespacedFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any], cluster_id: UUID) -> Select[ClusterObject]:
        """What Kubernetes told of the namespaces that the caller may read; `status` is `Normal` or `Warning`"""
        return _visible(cluster_id, EVENTS, filters)


def _visible(cluster_id: UUID, kind: str, filters: dict[str, Any]) -> Select[ClusterObject]:
    with transaction() as session:
        namespaces = _find_namespaces(session, cluster_id)
    return objects_of(cluster_id, kind, filters, namespaces)


def _find_namespaces(session: Session, cluster_id: UUID) -> list[str] | None:
    """Return the namespaces the caller may read where they may not read all (None); raises as `load` does."""
    held = namespaces_with(session, principal(), READ, cluster_id)
    if not held:
        load(session, Cluster, cluster_id)
    return held or None
