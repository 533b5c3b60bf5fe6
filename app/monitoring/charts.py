"""What is shown of series: their points over time, what a query makes of them, and how much there is.

The session comes first; nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel.errors import FieldError, Invalid
from app.kernel.principal import Principal
from app.monitoring.errors import QueryTooWide
from app.monitoring.language import Expression, Line, Selector, evaluate
from app.monitoring.models import COARSE, FINE, MetricSeries
from app.monitoring.points import MICRO, Floats, Points
from app.monitoring.reading import matching, moment_of, read_buckets, read_points, take_series, visible_series
from app.monitoring.rollups import Buckets, coarsen, fold

RESOLUTIONS: Final[Mapping[str, int]] = {"raw": 0, "1m": 60, "5m": FINE, "1h": COARSE, "1d": 86_400}
# The finest one that a span of so many seconds is shown in, unless the caller names one.
_CHOICES: Final = ((6 * 3600, "raw"), (3 * 86_400, "5m"), (90 * 86_400, "1h"))
MOST_SHOWN: Final = 250_000
MOST_STEPS: Final = 11_000
STEPS: Final = 250
TOP: Final = 20


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when, in seconds since the epoch, both included."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise Invalid(errors=[FieldError("end", "Must be later than start.")])


def choose_resolution(span: Span) -> str:
    """Return the name of the resolution that suits a span."""
    seconds = span.end - span.start
    return next((name for most, name in _CHOICES if seconds <= most), "1d")


def read_chart(
    session: Session, rows: Sequence[MetricSeries], span: Span, resolution: str, statistic: str
) -> list[dict[str, Any]]:
    """Return each series with its points as `[seconds, value]`; a bucket's moment is where it starts.

    Raises QueryTooWide where that would be more than MOST_SHOWN.
    """
    width = RESOLUTIONS[resolution]
    read = _read_fine if width < FINE else _read_rolled_up
    found = read(session, [row.id for row in rows], span, width, statistic)
    if sum(len(points) for points in found.values()) > MOST_SHOWN:
        raise QueryTooWide(f"This shows more than {MOST_SHOWN} points; take a coarser resolution.", limit=MOST_SHOWN)
    return [_show(row) | {"points": found[row.id].pairs()} for row in rows]


def _show(row: MetricSeries) -> dict[str, Any]:
    return {"series": row.text, "labels": row.labels, "workspace_id": row.workspace_id, "cluster_id": row.cluster_id}


def _read_fine(session: Session, ids: Sequence[int], span: Span, width: int, statistic: str) -> dict[int, Points]:
    found = read_points(session, ids, span.start * MICRO - 1, span.end * MICRO)
    if not width:
        return found
    return {series_id: _as_points(fold(points, width), statistic) for series_id, points in found.items()}


def _read_rolled_up(session: Session, ids: Sequence[int], span: Span, width: int, statistic: str) -> dict[int, Points]:
    kept = FINE if width < COARSE else COARSE
    start = int(span.start // width * width) * MICRO
    found = read_buckets(session, ids, start, int(span.end * MICRO) + 1, kept)
    return {series_id: _as_points(coarsen(buckets, width), statistic) for series_id, buckets in found.items()}


def _as_points(buckets: Buckets, statistic: str) -> Points:
    return Points(buckets.starts, buckets.statistic(statistic))


def steps_of(span: Span, step: float | None) -> Floats:
    """Return the moments at which a query is worked out; raises QueryTooWide beyond MOST_STEPS."""
    step = step or max((span.end - span.start) / STEPS, 1.0)
    count = int((span.end - span.start) // step) + 1
    if count > MOST_STEPS:
        raise QueryTooWide(f"This has more than {MOST_STEPS} steps; take a longer one.", limit=MOST_STEPS)
    steps: Floats = span.start + step * np.arange(count, dtype=np.float64)
    return steps


def run_query(
    session: Session, caller: Principal, organization_id: UUID, expression: Expression, steps: Floats
) -> list[Line]:
    """Work out a query over the series of an organization that a caller may read; raises QueryTooWide."""

    def source(selector: Selector, after: float, until: float) -> list[tuple[Mapping[str, str], Points]]:
        rows = take_series(session, matching(visible_series(caller, organization_id), selector))
        found = read_points(session, [row.id for row in rows], after * MICRO, until * MICRO)
        return [(labels_of(row), found[row.id]) for row in rows]

    return evaluate(expression, steps, source)


def labels_of(row: MetricSeries) -> dict[str, str]:
    """Return the labels of a series as queries see them: its name and its place are among them."""
    places = {"workspace_id": row.workspace_id, "cluster_id": row.cluster_id}
    named = {name: str(value) for name, value in places.items() if value is not None}
    return {"__name__": row.name, **row.labels, **named}


def show_lines(lines: Iterable[Line], steps: Floats) -> list[dict[str, Any]]:
    """Return lines with their points as `[seconds, value]`, where they have any."""
    shown = []
    for line in lines:
        there = np.isfinite(line.values)
        pairs = np.column_stack((steps[there], line.values[there])).tolist()
        shown.append({"labels": dict(line.labels), "points": pairs})
    return shown


def summarize(session: Session, caller: Principal, organization_id: UUID, limit: int) -> dict[str, Any]:
    """Return how many series and samples an organization has, as far as the caller may read them."""
    rows = visible_series(caller, organization_id).subquery()
    totals = select(func.count(), func.coalesce(func.sum(rows.c.points), 0), func.max(rows.c.newest))
    counted = session.execute(totals.add_columns(func.count(rows.c.name.distinct())).select_from(rows)).one()
    names = select(rows.c.name, func.count().label("series"), func.sum(rows.c.points).label("samples"))
    most = session.execute(names.group_by(rows.c.name).order_by(func.count().desc(), rows.c.name).limit(TOP))
    return {
        "series": counted[0],
        "series_limit": limit or None,
        "samples": int(counted[1]),
        "metrics": counted[3],
        "newest_at": None if counted[2] is None else moment_of(counted[2]),
        "top": [{"name": row.name, "series": row.series, "samples": int(row.samples)} for row in most],
    }
