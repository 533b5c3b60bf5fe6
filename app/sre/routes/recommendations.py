"""Recommendations: listed, read, answered, applied, and found anew."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.clusters import Cluster
from app.http import Reply, accepted, load, principal, requires, transaction
from app.kernel.errors import Forbidden
from app.sre.advice import ask_for_recommendations, give_feedback
from app.sre.models import Recommendation, RecommendationApply
from app.sre.outcomes import WRITE, ask_to_apply, may_write
from app.sre.queries import applies_of, visible_recommendations
from app.sre.routes.base import blueprint
from app.sre.schemas.recommendations import (
    ApplyRequest,
    FeedbackGiven,
    GenerationRequest,
    GenerationSchema,
    RecommendationApplySchema,
    RecommendationFilters,
    RecommendationSchema,
)

SORT = {
    "created_at": Recommendation.created_at,
    "found_at": Recommendation.found_at,
    "confidence": Recommendation.confidence,
}


@blueprint.route("/sre/recommendations")
class Recommendations(MethodView):
    """Recommendations of all clusters."""

    @blueprint.paged(RecommendationSchema, sort=SORT, default="-created_at", filters=RecommendationFilters)
    @requires("sre:read")
    def get(self, filters: dict[str, Any]) -> Select[Recommendation]:
        """What should be done about the clusters that the caller may read; those that are open unless `status` says"""
        return visible_recommendations(principal(), filters)


@blueprint.route("/sre/recommendations/generate")
class Generation(MethodView):
    """Recommendations that are found now."""

    @blueprint.arguments(GenerationRequest)
    @blueprint.response(202, GenerationSchema)
    @requires("sre:scan")
    def post(self, body: dict[str, Any]) -> Reply:
        """Find what should be done about a cluster now; by itself that happens every six hours"""
        with transaction() as session:
            cluster = load(session, Cluster, body["cluster_id"])
            return accepted(body, ask_for_recommendations(session, cluster, principal().user_id))


@blueprint.route("/sre/recommendations/<uuid:recommendation_id>")
class OneRecommendation(MethodView):
    """A recommendation."""

    @blueprint.response(200, RecommendationSchema)
    @requires("sre:read")
    def get(self, recommendation_id: UUID) -> Recommendation:
        """A recommendation, with what it rests on"""
        with transaction() as session:
            return load(session, Recommendation, recommendation_id)

    @blueprint.arguments(FeedbackGiven)
    @blueprint.response(200, RecommendationSchema)
    @blueprint.refuses(409)
    @requires("sre:write")
    def patch(self, body: dict[str, Any], recommendation_id: UUID) -> Recommendation:
        """Dismiss a recommendation, or open it again; one that is dismissed stays away until its evidence changes"""
        with transaction() as session:
            row = load(session, Recommendation, recommendation_id, for_update=True)
            return give_feedback(session, row, principal(), body)


@blueprint.route("/sre/recommendations/<uuid:recommendation_id>/applies")
class Applies(MethodView):
    """How a recommendation was applied."""

    @blueprint.paged(
        RecommendationApplySchema, sort={"created_at": RecommendationApply.created_at}, default="-created_at"
    )
    @requires("sre:read")
    def get(self, recommendation_id: UUID) -> Select[RecommendationApply]:
        """Each time that a recommendation was applied or tried, with what came of it"""
        with transaction() as session:
            load(session, Recommendation, recommendation_id)
        return applies_of(recommendation_id)


@blueprint.route("/sre/recommendations/<uuid:recommendation_id>/apply")
class Apply(MethodView):
    """A recommendation that is applied."""

    @blueprint.arguments(ApplyRequest)
    @blueprint.response(202, RecommendationApplySchema)
    @blueprint.refuses(409)
    @requires("sre:apply")
    def post(self, body: dict[str, Any], recommendation_id: UUID) -> Reply:
        """Have a worker make the change, tried by the cluster first; or only try it (`dry_run`)

        Takes `namespaces:write` in the namespace too. A day after a change its effect is measured.
        """
        with transaction() as session:
            row = _reach(session, recommendation_id)
            return accepted(*ask_to_apply(session, row, principal(), dry_run=body["dry_run"]))


def _reach(session: Session, recommendation_id: UUID) -> Recommendation:
    """Return a recommendation whose object the caller may change; raises NotFound, Forbidden."""
    row = load(session, Recommendation, recommendation_id, for_update=True)
    if not may_write(principal(), session.get_one(Cluster, row.cluster_id), row.namespace):
        raise Forbidden(required_permission=WRITE)
    return row
