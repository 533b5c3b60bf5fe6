"""What is read of scans, anomalies and recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Invalid
from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.monitoring import unpack_columns
from app.sre.errors import SeriesUnknown
from app.sre.models import (
    OPEN,
    Anomaly,
    Problem,
    ProblemSignal,
    Recommendation,
    RecommendationApply,
    Scan,
    ScanSchedule,
    ScanSeries,
)

EQUAL: Final = (
    *("organization_id", "workspace_id", "cluster_id", "scan_id", "severity", "status", "source", "is_open"),
    *("schedule_id", "enabled", "assignee_id"),
)
MOST_SIGNALS: Final = 500


def _visible(model: Any, caller: Principal, filters: Mapping[str, Any]) -> Select[Any]:
    places = (model.organization_id, model.workspace_id, model.cluster_id)
    equal = (getattr(model, name) == filters[name] for name in EQUAL if name in filters)
    return select(model).where(visible(caller, "sre:read", *places), *equal)


def visible_scans(caller: Principal, filters: Mapping[str, Any]) -> Select[Scan]:
    """Select the scans that a caller may read."""
    return _visible(Scan, caller, filters)


def visible_schedules(caller: Principal, filters: Mapping[str, Any]) -> Select[ScanSchedule]:
    """Select the schedules that a caller may read."""
    return _visible(ScanSchedule, caller, filters)


def visible_problems(caller: Principal, filters: Mapping[str, Any]) -> Select[Problem]:
    """Select the problems that a caller may read; `kind` is that of the suspected first cause."""
    rows: Select[Problem] = _visible(Problem, caller, filters)
    if "kind" in filters:
        rows = rows.where(Problem.cause["kind"].astext == filters["kind"])
    if "search" in filters:
        rows = rows.where(Problem.title.icontains(filters["search"], autoescape=True))
    if "start_date" in filters:
        rows = rows.where(Problem.opened_at >= filters["start_date"])
    if "end_date" in filters:
        rows = rows.where(Problem.opened_at <= filters["end_date"])
    return rows


def signals_of(session: Session, problem: Problem) -> list[ProblemSignal]:
    """Return the signals of a problem, by the times they began."""
    mine = select(ProblemSignal).where(ProblemSignal.problem_id == problem.id)
    return list(session.scalars(mine.order_by(ProblemSignal.started_at, ProblemSignal.key).limit(MOST_SIGNALS)))


def visible_anomalies(caller: Principal, filters: Mapping[str, Any]) -> Select[Anomaly]:
    """Select the anomalies that a caller may read; a `series` is a name, or a text with labels."""
    rows: Select[Anomaly] = _visible(Anomaly, caller, filters)
    if "series" in filters:
        rows = rows.where(_is_of(Anomaly.series, filters["series"]))
    if "acknowledged" in filters:
        is_known = Anomaly.acknowledged_at.is_not(None)
        rows = rows.where(is_known if filters["acknowledged"] else ~is_known)
    if "start_date" in filters:
        rows = rows.where(Anomaly.end >= filters["start_date"])
    if "end_date" in filters:
        rows = rows.where(Anomaly.start <= filters["end_date"])
    return rows


def visible_recommendations(caller: Principal, filters: Mapping[str, Any]) -> Select[Recommendation]:
    """Select the recommendations that a caller may read: the open ones, where no status is asked for."""
    names = ("organization_id", "cluster_id", "kind", "priority", "namespace", "resource_kind")
    equal = (getattr(Recommendation, name) == filters[name] for name in names if name in filters)
    places = (Recommendation.organization_id, Recommendation.cluster_id)
    rows = select(Recommendation).where(visible(caller, "sre:read", *places), *equal)
    rows = rows.where(Recommendation.status == filters.get("status", OPEN))
    if "min_confidence" in filters:
        rows = rows.where(Recommendation.confidence >= filters["min_confidence"])
    if "search" in filters:
        rows = rows.where(Recommendation.resource_name.icontains(filters["search"], autoescape=True))
    return rows


def applies_of(recommendation_id: UUID) -> Select[RecommendationApply]:
    """Select each time that a recommendation was applied, or tried."""
    return select(RecommendationApply).where(RecommendationApply.recommendation_id == recommendation_id)


def _is_of(column: Any, text: str) -> ColumnElement[bool]:
    if "{" in text:
        return column == text
    return (column == text) | column.startswith(f"{text}{{", autoescape=True)


def read_scores(session: Session, scan: Scan, series: str | None, start: float, end: float) -> list[list[float]]:
    """Return `[seconds, score]` of every point of a series that a scan has judged, of `start <= time <= end`.

    `series` may be left out where the scan has one. Raises SeriesUnknown, Invalid where a name means several.
    """
    mine = (ScanSeries.scan_id == scan.id, ScanSeries.scanned_at == scan.created_at)
    rows = select(ScanSeries.series, ScanSeries.scores).where(*mine).limit(2)
    if series is not None:
        rows = rows.where(_is_of(ScanSeries.series, series))
    found = session.execute(rows.order_by(ScanSeries.series != (series or ""), ScanSeries.position)).all()
    if not found:
        raise SeriesUnknown(resource_type="series", resource_id=series)
    if len(found) > 1 and found[0].series != series:
        raise Invalid(errors=[FieldError("series", "Means several series of this scan; name one with its labels.")])
    if found[0].scores is None:
        return []
    times, (scores,) = unpack_columns(bytes(found[0].scores), 1)
    chosen = slice(int(np.searchsorted(times, start, "left")), int(np.searchsorted(times, end, "right")))
    return np.column_stack((times[chosen].astype(np.float64), scores[chosen])).tolist()
