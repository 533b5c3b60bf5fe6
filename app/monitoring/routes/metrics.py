"""Metrics are read: as lists of series, over time, and by queries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from flask.views import MethodView
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.http import platform, principal, requires, transaction
from app.kernel.errors import FieldError, Invalid
from app.monitoring.charts import (
    Span,
    choose_resolution,
    read_chart,
    run_query,
    show_lines,
    steps_of,
    summarize,
)
from app.monitoring.language import Matcher, Selector, parse, read_duration
from app.monitoring.models import MetricSeries
from app.monitoring.reading import matching, series_in, take_series
from app.monitoring.routes.base import blueprint, own_organization, span_of
from app.monitoring.schemas import metrics as schemas

SORT = {"name": MetricSeries.name, "created_at": MetricSeries.created_at}
READ = "metrics:read"


@blueprint.route("/metrics/series")
class AllSeries(MethodView):
    """The series there are."""

    @blueprint.paged(schemas.SeriesSchema, sort=SORT, default="name", filters=schemas.SeriesFilters)
    @requires(READ)
    def get(self, filters: dict[str, Any]) -> Select[MetricSeries]:
        """The series of an organization that the caller may read"""
        with transaction() as session:
            rows = series_in(principal(), own_organization(session, filters), filters)
        if "name" in filters:
            rows = rows.where(MetricSeries.name == filters["name"])
        if "search" in filters:
            rows = rows.where(MetricSeries.name.icontains(filters["search"], autoescape=True))
        return rows


@blueprint.route("/metrics/timeseries")
class Chart(MethodView):
    """Series over time."""

    @blueprint.arguments(schemas.ChartArguments, location="query")
    @blueprint.response(200, schemas.ChartSchema)
    @requires(READ)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The points of the series of a name, in a resolution that suits the time or that is asked for

        5 minutes, an hour and a day are read from roll-ups, which outlast the samples.
        """
        span = span_of(asked)
        resolution = asked.get("resolution") or choose_resolution(span)
        with transaction() as session:
            lines = read_chart(session, _find(session, asked), span, resolution, asked["statistic"])
        shown = {"name": asked["name"], "resolution": resolution, "statistic": asked["statistic"], "series": lines}
        return shown | _show(span) | {"total_points": sum(len(line["points"]) for line in lines)}


@blueprint.route("/metrics/query")
class Query(MethodView):
    """Queries."""

    @blueprint.arguments(schemas.QueryArguments, location="query")
    @blueprint.response(200, schemas.QueryResultSchema)
    @requires(READ)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What a query says, at one moment or over time"""
        expression, at = parse(asked["query"]), asked.get("time")
        span = span_of(asked) if at is None else Span(at, at + 1)
        steps = steps_of(span, _step_of(asked))[: None if at is None else 1]
        with transaction() as session:
            organization_id = own_organization(session, asked)
            lines = run_query(session, principal(), organization_id, expression, steps)
        told = {"query": asked["query"], "result_type": "matrix" if at is None else "vector"}
        return told | _show(span) | {"step": _width(steps), "result": show_lines(lines, steps)}


@blueprint.route("/metrics/summary")
class Summary(MethodView):
    """How much there is."""

    @blueprint.arguments(schemas.OfOrganization, location="query")
    @blueprint.response(200, schemas.SummarySchema)
    @requires(READ)
    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """How many series and samples an organization has, and which metrics have most"""
        with transaction() as session:
            return summarize(session, principal(), own_organization(session, asked), platform().metric_series)


def _step_of(asked: dict[str, Any]) -> float | None:
    if "step" not in asked:
        return None
    step = asked["step"]
    try:
        seconds = read_duration(step) or float(step)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise Invalid(errors=[FieldError("step", "Must be seconds, or a text such as 1m.")])
    return seconds


def _width(steps: Any) -> float | None:
    return float(steps[1] - steps[0]) if len(steps) > 1 else None


def _show(span: Span) -> dict[str, datetime]:
    return {"start": datetime.fromtimestamp(span.start, UTC), "end": datetime.fromtimestamp(span.end, UTC)}


def _find(session: Session, asked: dict[str, Any]) -> list[MetricSeries]:
    rows = series_in(principal(), own_organization(session, asked), asked)
    selector = Selector(asked["name"], tuple(_matchers(asked.get("labels", ()))))
    return take_series(session, matching(rows, selector))


def _matchers(labels: Iterable[str]) -> Iterable[Matcher]:
    for text in labels:
        name, sign, value = text.partition("=")
        if not sign:
            raise Invalid(errors=[FieldError("labels", "Must be label=value, separated by commas.")])
        yield Matcher(name, "=", value)
