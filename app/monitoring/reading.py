"""Reading series, samples and roll-ups. Times are microseconds since the epoch; the session comes first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.kernel.errors import FieldError
from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.monitoring.errors import QueryInvalid, QueryTooWide
from app.monitoring.language import Matcher, Selector
from app.monitoring.models import MetricChunk, MetricRollup, MetricSeries
from app.monitoring.points import Points, join, unpack
from app.monitoring.rollups import Buckets, add_up, fold, unpack_buckets

MOST_READ: Final = 5_000_000
MOST_SERIES: Final = 1_000

_CHUNKS = table_of(MetricChunk)
_ROLLUPS = table_of(MetricRollup)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


def moment_of(micros: float) -> datetime:
    """Return microseconds since the epoch as a moment."""
    return _EPOCH + timedelta(microseconds=int(micros))


def visible_series(caller: Principal, organization_id: UUID) -> Select[MetricSeries]:
    """Select the series of an organization that a caller may read."""
    places = (MetricSeries.organization_id, MetricSeries.workspace_id, MetricSeries.cluster_id)
    mine = MetricSeries.organization_id == organization_id
    return select(MetricSeries).where(mine, visible(caller, "metrics:read", *places))


def series_in(caller: Principal, organization_id: UUID, named: Mapping[str, Any]) -> Select[MetricSeries]:
    """Select the series that a caller may read, of the cluster or the workspace that is named if one is."""
    inner = [name for name in ("cluster_id", "workspace_id") if name in named]
    rows = visible_series(caller, organization_id)
    return rows.where(*(getattr(MetricSeries, name) == named[name] for name in inner))


def matching(rows: Select[MetricSeries], selector: Selector) -> Select[MetricSeries]:
    """Narrow a selection of series to those that a selector means."""
    if selector.name is not None:
        rows = rows.where(MetricSeries.name == selector.name)
    return rows.where(*(_condition(one) for one in selector.matchers))


def _condition(matcher: Matcher) -> ColumnElement[bool]:
    value: Any = func.coalesce(MetricSeries.labels[matcher.label].astext, "")
    if matcher.label == "__name__":
        value = MetricSeries.name
    match matcher.operator:
        case "=":
            found: ColumnElement[bool] = value == matcher.value
        case "!=":
            found = value != matcher.value
        case operator:
            # PostgreSQL's expressions are matched without backtracking, and a statement has its time limit.
            found = value.op("~" if operator == "=~" else "!~", is_comparison=True)(f"^(?:{matcher.value})$")
    return found


def take_series(session: Session, rows: Select[MetricSeries], most: int = MOST_SERIES) -> list[MetricSeries]:
    """Read a selection of series in the order of their names; raises QueryTooWide where it has more than `most`, and
    QueryInvalid for an expression that the database does not take."""
    ordered = rows.order_by(MetricSeries.name, MetricSeries.id).limit(most + 1)
    try:
        with session.begin_nested():
            found = list(session.scalars(ordered))
    except DataError as error:
        # What RE2 takes the database may not, such as (?P<name>…).
        raise QueryInvalid(errors=[FieldError("query", "Has an expression that cannot be looked for.")]) from error
    if len(found) > most:
        raise QueryTooWide(f"This reads more than {most} series; narrow it by a name or labels.", limit=most)
    return found


def read_points(session: Session, ids: Collection[int], after: float, until: float) -> dict[int, Points]:
    """Return the samples of `after < time <= until` of each series; raises QueryTooWide beyond MOST_READ."""
    rows = _read_chunks(session, ids, after, until)
    read: dict[int, list[Points]] = {}
    for row in rows:
        read.setdefault(row.series_id, []).append(unpack(bytes(row.data)))
    return {series_id: join(read.get(series_id, ())).within(after, until) for series_id in ids}


def _read_chunks(
    session: Session, ids: Collection[int], after: float, until: float, *extra: ColumnElement[bool]
) -> Sequence[Row[Any, Any]]:
    overlapping = (_CHUNKS.c.series_id.in_(list(ids)), _CHUNKS.c.last > int(after), _CHUNKS.c.first <= int(until))
    count = session.execute(select(func.sum(_CHUNKS.c.count)).where(*overlapping, *extra)).scalar() or 0
    if count > MOST_READ:
        raise QueryTooWide(f"This reads more than {MOST_READ} samples; narrow its time or series.", limit=MOST_READ)
    rows = select(_CHUNKS.c.series_id, _CHUNKS.c.data).where(*overlapping, *extra)
    return session.execute(rows.order_by(_CHUNKS.c.series_id, _CHUNKS.c.first, _CHUNKS.c.written_at)).all()


def read_buckets(session: Session, ids: Collection[int], start: int, end: int, resolution: int) -> dict[int, Buckets]:
    """Return the buckets of `start <= time < end` of each series: those that are rolled up, and the samples that are
    not yet."""
    read: dict[int, list[Buckets]] = {}
    for row in _read_days(session, ids, start, end, resolution):
        read.setdefault(row.series_id, []).append(unpack_buckets(bytes(row.data)))
    for row in _read_chunks(session, ids, start - 1, end - 1, ~_CHUNKS.c.folded):
        points = unpack(bytes(row.data)).within(start - 1, end - 1)
        read.setdefault(row.series_id, []).append(fold(points, resolution))
    return {series_id: add_up(read.get(series_id, ())).within(start, end) for series_id in ids}


def _read_days(session: Session, ids: Iterable[int], start: int, end: int, resolution: int) -> Sequence[Row[Any, Any]]:
    days = (_ROLLUPS.c.day > moment_of(start) - _DAY, _ROLLUPS.c.day < moment_of(end))
    rows = select(_ROLLUPS.c.series_id, _ROLLUPS.c.data)
    wanted = (_ROLLUPS.c.series_id.in_(list(ids)), _ROLLUPS.c.resolution == resolution)
    return session.execute(rows.where(*wanted, *days)).all()
