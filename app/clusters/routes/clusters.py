"""Clusters: registered, listed, changed and removed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.clusters import service
from app.clusters.models import Cluster
from app.clusters.queries import visible_clusters
from app.clusters.routes.base import access_rules, blueprint
from app.clusters.schemas.clusters import (
    ClusterChange,
    ClusterFilters,
    ClusterRegistration,
    ClusterReplacement,
    ClusterSchema,
)
from app.http import Reply, accepted, check, load, platform, principal, requires, transaction
from app.tenancy import personal_organization

SORT = {"created_at": Cluster.created_at, "name": Cluster.name}


@blueprint.route("/clusters")
class Clusters(MethodView):
    """Clusters of all organizations."""

    @blueprint.paged(ClusterSchema, sort=SORT, default="-created_at", filters=ClusterFilters)
    @requires("clusters:read")
    def get(self, filters: dict[str, Any]) -> Select[Cluster]:
        """The clusters that the caller may read"""
        return visible_clusters(principal(), filters)

    @blueprint.arguments(ClusterRegistration)
    @blueprint.response(202, ClusterSchema)
    @blueprint.refuses(409)
    @requires("clusters:write")
    def post(self, body: dict[str, Any]) -> Reply:
        """Register a cluster, by a kubeconfig or part by part; the job asks it for the first time"""
        with transaction() as session:
            named = body.pop("organization_id", None)
            organization_id = named or personal_organization(session, principal().user_id)
            check(organization_id)
            return accepted(*_register(session, organization_id, body))


@blueprint.route("/clusters/<uuid:cluster_id>")
class OneCluster(MethodView):
    """A cluster."""

    @blueprint.response(200, ClusterSchema)
    @requires("clusters:read")
    def get(self, cluster_id: UUID) -> Cluster:
        """A cluster; nothing that opens it is ever shown"""
        with transaction() as session:
            return load(session, Cluster, cluster_id)

    @blueprint.arguments(ClusterReplacement)
    @blueprint.response(200, ClusterSchema)
    @blueprint.refuses(409)
    @requires("clusters:write")
    def put(self, body: dict[str, Any], cluster_id: UUID) -> Cluster:
        """Replace a cluster's fields, and what opens it if that is given"""
        return _change(body, cluster_id)

    @blueprint.arguments(ClusterChange)
    @blueprint.response(200, ClusterSchema)
    @blueprint.refuses(409)
    @requires("clusters:write")
    def patch(self, body: dict[str, Any], cluster_id: UUID) -> Cluster:
        """Change some of a cluster's fields, or what opens it; it is then checked soon"""
        return _change(body, cluster_id)

    @blueprint.response(202, ClusterSchema)
    @blueprint.refuses(409)
    @requires("clusters:delete")
    def delete(self, cluster_id: UUID) -> Reply:
        """Remove a cluster; refused while something sits on it. What runs on a registered one stays as it is"""
        with transaction() as session:
            cluster = load(session, Cluster, cluster_id, for_update=True)
            return accepted(cluster, service.ask_for_removal(session, cluster, principal()))


def _register(session: Session, organization_id: UUID, body: dict[str, Any]) -> tuple[Cluster, UUID]:
    vault, rules, allow_local = platform().vault, access_rules(), platform().allow_local_clusters
    return service.register_cluster(
        session, organization_id, principal(), body, vault=vault, rules=rules, allow_local=allow_local
    )


def _change(body: dict[str, Any], cluster_id: UUID) -> Cluster:
    with transaction() as session:
        cluster = load(session, Cluster, cluster_id, for_update=True)
        vault, rules = platform().vault, access_rules()
        return service.change_cluster(session, cluster, body, principal(), vault=vault, rules=rules)
