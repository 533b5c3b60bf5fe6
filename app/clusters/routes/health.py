"""How clusters fare: a check now, and what the checks have found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.clusters import service
from app.clusters.models import Cluster
from app.clusters.queries import inventories_of, recent_checks
from app.clusters.routes.base import blueprint
from app.clusters.schemas.clusters import ClusterSchema
from app.clusters.schemas.health import HealthSchema
from app.clusters.views import show_health
from app.http import Reply, accepted, load, principal, requires, transaction

RECENT = 60


@blueprint.route("/clusters/<uuid:cluster_id>/health-check")
class HealthCheck(MethodView):
    """A check that somebody asks for."""

    @blueprint.response(202, ClusterSchema)
    @blueprint.refuses(409)
    @requires("clusters:read")
    def post(self, cluster_id: UUID) -> Reply:
        """Check a cluster now, and take its inventory; the job's result says what was found"""
        with transaction() as session:
            cluster = load(session, Cluster, cluster_id)
            return accepted(cluster, service.ask_for_check(session, cluster, principal()))


@blueprint.route("/clusters/<uuid:cluster_id>/health")
class Health(MethodView):
    """What the checks have found."""

    @blueprint.response(200, HealthSchema)
    @requires("clusters:read")
    def get(self, cluster_id: UUID) -> dict[str, Any]:
        """How a cluster fares: its newest check, and those of the last hour"""
        with transaction() as session:
            cluster = load(session, Cluster, cluster_id)
            return show_health(cluster, inventories_of(session, cluster_id), recent_checks(session, cluster_id, RECENT))
