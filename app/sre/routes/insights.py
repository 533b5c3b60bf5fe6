"""Insights: how clusters fare."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView

from app.clusters import Cluster
from app.http import load, principal, requires, transaction
from app.kernel.clock import utc_now
from app.monitoring import own_organization
from app.sre.insights import show_cluster, show_overview, visible_to
from app.sre.routes.base import blueprint
from app.sre.schemas import insights as schemas


@blueprint.route("/sre/insights/overview")
class Overview(MethodView):
    """How all clusters fare."""

    @blueprint.arguments(schemas.OverviewArguments, location="query")
    @blueprint.response(200, schemas.OverviewSchema)
    @requires("sre:read")
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """How an organization's clusters fare, which do best, and which need attention; the first 200 by name"""
        with transaction() as session:
            clusters = session.scalars(visible_to(principal(), own_organization(session, asked))).all()
            return show_overview(session, clusters, utc_now())


@blueprint.route("/sre/insights/cluster/<uuid:cluster_id>")
class ClusterInsights(MethodView):
    """How a cluster fares."""

    @blueprint.arguments(schemas.DaysArguments, location="query")
    @blueprint.response(200, schemas.ClusterInsightsSchema)
    @requires("sre:read")
    def get(self, asked: dict[str, Any], cluster_id: UUID) -> dict[str, Any]:
        """A cluster's health score with its parts, what it uses against the days before, and what went wrong each
        day"""
        with transaction() as session:
            cluster = load(session, Cluster, cluster_id)
            return show_cluster(session, cluster, asked["days"], utc_now())
