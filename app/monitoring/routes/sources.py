"""Sources of metrics: made, changed, deleted, and pulled from now."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import Reply, accepted, load, platform, principal, requires, transaction
from app.kernel.addresses import AddressRules
from app.kernel.errors import FieldError, Invalid
from app.monitoring.models import MetricSource
from app.monitoring.routes.base import blueprint, find_place
from app.monitoring.schemas.metrics import PlaceSchema
from app.monitoring.schemas.sources import (
    CollectionSchema,
    SourceChange,
    SourceCreation,
    SourceFilters,
    SourceReplacement,
    SourceSchema,
)
from app.monitoring.sources import service
from app.monitoring.sources.access import find_url_fault

SORT = {"created_at": MetricSource.created_at, "name": MetricSource.name}
READ, WRITE = "metrics:read", "metrics:write"
PLACE = tuple(PlaceSchema().fields)


@blueprint.route("/metric-sources")
class MetricSources(MethodView):
    """Sources of all organizations."""

    @blueprint.paged(SourceSchema, sort=SORT, default="-created_at", filters=SourceFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any]) -> Select[MetricSource]:
        """The sources that the caller may read: Prometheus servers, and connected clusters, which are there by
        themselves"""
        return service.visible_sources(principal(), filters)

    @blueprint.arguments(SourceCreation)
    @blueprint.response(201, SourceSchema)
    @requires(WRITE)
    def post(self, body: dict[str, Any]) -> MetricSource:
        """Pull from a Prometheus; it is asked soon, at first for its last hour"""
        _check_url(body)
        named = {name: body.pop(name) for name in PLACE if name in body}
        with transaction() as session:
            place = find_place(session, named)
            return service.make_source(session, platform().vault, place, principal(), body)


@blueprint.route("/metric-sources/<uuid:source_id>")
class OneMetricSource(MethodView):
    """A source."""

    @blueprint.response(200, SourceSchema)
    @requires(READ)
    def get(self, source_id: UUID) -> MetricSource:
        """A source, and how pulling from it fares"""
        with transaction() as session:
            return load(session, MetricSource, source_id)

    @blueprint.arguments(SourceReplacement)
    @blueprint.response(200, SourceSchema)
    @blueprint.refuses(409)
    @requires(WRITE)
    def put(self, body: dict[str, Any], source_id: UUID) -> MetricSource:
        """Replace a source; it is asked soon"""
        return _change(body, source_id)

    @blueprint.arguments(SourceChange)
    @blueprint.response(200, SourceSchema)
    @blueprint.refuses(409)
    @requires(WRITE)
    def patch(self, body: dict[str, Any], source_id: UUID) -> MetricSource:
        """Change some of a source; it is asked soon"""
        return _change(body, source_id)

    @blueprint.response(204)
    @blueprint.refuses(409)
    @requires(WRITE)
    def delete(self, source_id: UUID) -> None:
        """Pull from a source no more; what it has told stays. A cluster's own can only be switched off"""
        with transaction() as session:
            service.delete_source(session, load(session, MetricSource, source_id, for_update=True))


@blueprint.route("/metrics/collect")
class Collect(MethodView):
    """Pulls that somebody asks for."""

    @blueprint.arguments(PlaceSchema)
    @blueprint.response(202, CollectionSchema)
    @requires(WRITE)
    def post(self, body: dict[str, Any]) -> Reply:
        """Pull from all sources of an organization, a workspace or a cluster now; the job's result says what each
        told"""
        with transaction() as session:
            place = find_place(session, body)
            return accepted(place, service.ask_to_collect(session, place, principal()))


def _change(body: dict[str, Any], source_id: UUID) -> MetricSource:
    _check_url(body)
    with transaction() as session:
        source = load(session, MetricSource, source_id, for_update=True)
        return service.change_source(session, platform().vault, source, body)


def _check_url(body: dict[str, Any]) -> None:
    """Raise Invalid for an address that this installation must not ask."""
    allowed = platform().allow_private_addresses
    fault = find_url_fault(body["url"], AddressRules(allowed, allowed)) if "url" in body else None
    if fault:
        raise Invalid(errors=[FieldError("url", f"This address {fault}.")])
