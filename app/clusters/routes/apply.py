"""Applying manifests to a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy.orm import Session

from app.clusters.applying import WIDE, ApplyRights, ask_to_apply, find_rights
from app.clusters.manifests import Manifest, read_manifests
from app.clusters.models import Cluster
from app.clusters.routes.base import blueprint
from app.clusters.schemas.apply import ApplySchema
from app.clusters.schemas.clusters import ClusterSchema
from app.http import Reply, accepted, check, load, platform, principal, requires, transaction
from app.kernel.audit import concern
from app.kernel.errors import Forbidden
from app.kernel.principal import namespace_place, places_of


@blueprint.route("/clusters/<uuid:cluster_id>/apply")
class Apply(MethodView):
    """Manifests applied to a cluster."""

    @blueprint.arguments(ApplySchema)
    @blueprint.response(202, ClusterSchema)
    @blueprint.refuses(409)
    @requires("namespaces:write")
    def post(self, body: dict[str, Any], cluster_id: UUID) -> Reply:
        """Apply manifests on the server's side; the job's result says what became of each object

        What lies in no namespace, gives rights (Role, RoleBinding) or bounds what is used (ResourceQuota, LimitRange)
        takes the permission `clusters:apply`.
        """
        text = body.pop("manifests")
        manifests = read_manifests(text)
        with transaction() as session:
            cluster, rights = _judge(session, cluster_id, manifests, body["namespace"])
            order = {"text": text, "rights": rights, **body}
            return accepted(cluster, ask_to_apply(session, cluster, principal(), platform().vault, **order))


def _judge(
    session: Session, cluster_id: UUID, manifests: Sequence[Manifest], namespace: str
) -> tuple[Cluster, ApplyRights]:
    """Return the cluster and where the caller may write; raises NotFound, Forbidden for what is known to be beyond."""
    cluster = session.get(Cluster, cluster_id)
    named = {one.namespace or namespace for one in manifests if not one.is_wide}
    if cluster is None or not named:
        cluster = load(session, Cluster, cluster_id)
    for name in sorted(named):
        check(*places_of(cluster), namespace_place(cluster_id, name), kind="cluster", row_id=cluster_id)
    concern(session, "cluster", cluster_id, cluster.organization_id)
    rights = find_rights(principal(), cluster, named)
    if not rights.wide and any(one.is_wide or one.is_guarded for one in manifests):
        raise Forbidden(
            "What lies in no namespace, gives rights or bounds what is used takes another permission.",
            required_permission=WIDE,
        )
    return cluster, rights
