"""How clusters and workspaces fare: what they use, whether they are well, and their alerts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.clusters import Cluster
from app.http import load, requires, transaction
from app.monitoring.models import Alert
from app.monitoring.places import alerts_of_workspace, check_workspace, show_cluster, show_workspace
from app.monitoring.routes.base import blueprint, span_of
from app.monitoring.schemas import places as schemas
from app.monitoring.schemas.alerts import AlertSchema
from app.tenancy import Workspace

SORT = {"created_at": Alert.created_at, "pending_at": Alert.pending_at}
WORKSPACE = "/workspaces/<uuid:workspace_id>/monitoring"


@blueprint.route("/clusters/<uuid:cluster_id>/metrics")
class ClusterMetrics(MethodView):
    """What a cluster has and uses."""

    @blueprint.arguments(schemas.UsageArguments, location="query")
    @blueprint.response(200, schemas.ClusterMetricsSchema)
    @requires("metrics:read")
    def get(self, asked: dict[str, Any], cluster_id: UUID) -> dict[str, Any]:
        """How many nodes, pods and namespaces a cluster has, and how much processor, memory, disk and network it uses

        From what was pulled or pushed for it; disk and network come from a node_exporter.
        """
        with transaction() as session:
            cluster = load(session, Cluster, cluster_id)
            return show_cluster(session, cluster, span_of(asked), asked.get("metric"))


@blueprint.route(f"{WORKSPACE}/metrics")
class WorkspaceMetrics(MethodView):
    """What a workspace uses."""

    @blueprint.arguments(schemas.UsageArguments, location="query")
    @blueprint.response(200, schemas.WorkspaceMetricsSchema)
    @requires("metrics:read")
    def get(self, asked: dict[str, Any], workspace_id: UUID) -> dict[str, Any]:
        """How much processor and memory the namespaces of a workspace use, of what their quotas give"""
        with transaction() as session:
            workspace = load(session, Workspace, workspace_id)
            return show_workspace(session, workspace, span_of(asked), asked.get("metric"))


@blueprint.route(f"{WORKSPACE}/health")
class WorkspaceHealth(MethodView):
    """Whether a workspace is well."""

    @blueprint.response(200, schemas.WorkspaceHealthSchema)
    @requires("metrics:read")
    def get(self, workspace_id: UUID) -> dict[str, Any]:
        """How a workspace fares, part by part, as its cluster was seen last"""
        with transaction() as session:
            return check_workspace(session, load(session, Workspace, workspace_id))


@blueprint.route(f"{WORKSPACE}/alerts")
class WorkspaceAlerts(MethodView):
    """The alerts of a workspace."""

    @blueprint.paged(AlertSchema, sort=SORT, default="-created_at", filters=schemas.WorkspaceAlertFilters)
    @requires("alerts:read")
    def get(self, filters: dict[str, Any], workspace_id: UUID) -> Select[Alert]:
        """The alerts of a workspace, and those of its cluster that are about its namespaces"""
        with transaction() as session:
            return alerts_of_workspace(session, load(session, Workspace, workspace_id), filters)
