"""Pulls: which sources are due, what each is to be asked, and keeping what it told. A source is taken by moving its
next time on, so that any number of workers take each once, and one that is killed loses nothing.

The session comes first; nothing here commits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, undefer

from app.clusters import CONNECTED, Cluster
from app.kernel.clock import database_now
from app.kernel.crypto import Vault
from app.kernel.ids import new_id
from app.monitoring.incoming import Received
from app.monitoring.models import KUBERNETES, LONGEST_SPAN, PROMETHEUS, MetricSource, vault_context
from app.monitoring.points import MICRO
from app.monitoring.reading import moment_of
from app.monitoring.sources.access import Asked, SourceAccess, read_asked
from app.monitoring.writing import Place, Written, write_samples

CLUSTER_INTERVAL: Final = 60
# What a Prometheus has scraped is there to be read a moment later.
LAG_SECONDS: Final = 30
LEASE: Final = timedelta(seconds=120)
LONGEST_PAUSE: Final = 3600.0
MOST_MADE: Final = 500
SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull of a source: samples of `after < time <= until`, both whole seconds since the epoch. `sealed` is what
    opens it, its own credentials or its cluster's. `known` is what had been pulled when it was taken."""

    source_id: UUID
    place: Place
    kind: str
    after: int
    until: int
    known: float | None
    interval: int
    sealed: bytes | None = None
    url: str = ""
    asked: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True)
class PullFailed:
    """Why a pull came to nothing; one that was `too_much` is tried again for a shorter time."""

    code: str
    message: str
    too_much: bool = False


def make_cluster_sources(session: Session, organization_id: UUID | None = None) -> None:
    """Let each connected cluster be a source, those of one organization or of all."""
    known = exists().where(MetricSource.cluster_id == Cluster.id, MetricSource.kind == KUBERNETES)
    rows = select(Cluster.id, Cluster.organization_id, Cluster.name).where(_is_open(), ~known)
    if organization_id is not None:
        rows = rows.where(Cluster.organization_id == organization_id)
    made = [
        {"id": new_id(), "cluster_id": row.id, "organization_id": row.organization_id, "name": row.name}
        | {"kind": KUBERNETES, "interval_seconds": CLUSTER_INTERVAL}
        for row in session.execute(rows.limit(MOST_MADE))
    ]
    if made:
        session.execute(insert(MetricSource).values(made).on_conflict_do_nothing())


def _is_open() -> ColumnElement[bool]:
    return (Cluster.status == CONNECTED) & Cluster.credentials.is_not(None)


def take_due_pulls(session: Session, limit: int) -> list[Pull]:
    """Take sources that are due, those that answered the last time first; for LEASE nobody else takes them."""
    return _take(session, MetricSource.next_pull_at <= database_now(), limit=limit)


def take_pulls_of(session: Session, place_id: UUID, asked_at: float, limit: int) -> list[Pull]:
    """Take sources of an organization, a workspace or a cluster that nobody has pulled from since a moment, in seconds
    since the epoch, whether they are due or not."""
    mine = (MetricSource.organization_id, MetricSource.workspace_id, MetricSource.cluster_id)
    fresh = or_(MetricSource.pulled_at.is_(None), MetricSource.pulled_at < moment_of(asked_at * MICRO))
    return _take(session, or_(*(column == place_id for column in mine)), fresh, limit=limit)


def _take(session: Session, *which: ColumnElement[bool], limit: int) -> list[Pull]:
    # A cluster that does not answer is left alone until its checks say otherwise.
    is_there = or_(MetricSource.kind == PROMETHEUS, exists().where(Cluster.id == MetricSource.cluster_id, _is_open()))
    rows = select(MetricSource).where(MetricSource.enabled, is_there, *which)
    first = rows.order_by(MetricSource.failures > 0, MetricSource.next_pull_at).limit(limit)
    locked = first.options(undefer(MetricSource.credentials)).with_for_update(skip_locked=True)
    sources = session.scalars(locked.execution_options(populate_existing=True)).all()
    now = _now(session)
    for source in sources:
        source.next_pull_at = moment_of((now + LEASE.total_seconds()) * MICRO)
        source.pulled_at = moment_of(now * MICRO)
    session.flush()
    return [_plan(session, source, math.floor(now)) for source in sources]


def _now(session: Session) -> float:
    return session.execute(select(database_now())).scalar_one().timestamp()


def _plan(session: Session, source: MetricSource, now: int) -> Pull:
    place = Place(source.organization_id, source.workspace_id, source.cluster_id)
    pull = Pull(source.id, place, source.kind, now - 1, now, source.pulled_until, source.interval_seconds)
    if source.kind == KUBERNETES:
        stored = select(Cluster.credentials).where(Cluster.id == source.cluster_id)
        return replace(pull, sealed=session.execute(stored).scalar_one())
    newest = now - LAG_SECONDS
    after = newest - source.span_seconds if source.pulled_until is None else int(source.pulled_until)
    asked = tuple(read_asked(source.queries))
    until = max(min(newest, after + source.span_seconds), after)
    return replace(pull, after=after, until=until, sealed=source.credentials, url=source.url or "", asked=asked)


def open_source(vault: Vault, pull: Pull) -> SourceAccess:
    """Return what leads to a Prometheus; raises Undecryptable."""
    if pull.sealed is None:
        return SourceAccess(pull.url)
    return replace(SourceAccess.from_json(vault.decrypt(pull.sealed, vault_context(pull.source_id))), url=pull.url)


def record_pull(session: Session, pull: Pull, received: Received, limit: int) -> Written | None:
    """Write what a source told, and when it is asked next; None, and nothing is written, where it is gone or somebody
    else has pulled the same meanwhile. `limit` is how many series the organization may have."""
    source = _lock(session, pull)
    if source is None:
        return None
    written = write_samples(session, pull.place, received.series, limit)
    now = _now(session)
    source.pulled_until = float(pull.until)
    source.series, source.samples = len(received.series), source.samples + written.accepted
    source.failures, source.span_seconds = 0, min(source.span_seconds * 2, LONGEST_SPAN)
    source.error_code, source.error = _tell_refused(written, limit)
    is_behind = pull.kind == PROMETHEUS and now - LAG_SECONDS - pull.until > source.interval_seconds
    source.next_pull_at = moment_of(now * MICRO if is_behind else _next(now, source.interval_seconds) * MICRO)
    session.flush()
    return written


def record_failure(session: Session, pull: Pull, failed: PullFailed) -> None:
    """Write why a pull failed, and when the source is asked next: the later, the more often it has failed."""
    source = _lock(session, pull)
    if source is None:
        return
    now = _now(session)
    source.failures += 1
    source.error_code, source.error = failed.code, failed.message
    pause = 0.0
    if failed.too_much and source.span_seconds > source.interval_seconds:
        source.span_seconds = max(source.span_seconds // 2, source.interval_seconds)
    else:
        pause = min(source.interval_seconds * 2.0 ** min(source.failures - 1, 10), LONGEST_PAUSE)
    source.next_pull_at = moment_of(_next(now + pause, source.interval_seconds) * MICRO)
    session.flush()


def _lock(session: Session, pull: Pull) -> MetricSource | None:
    source = session.get(MetricSource, pull.source_id, with_for_update=True, populate_existing=True)
    return source if source is not None and source.pulled_until == pull.known else None


def _next(now: float, interval: int) -> float:
    """Return the next moment that is a multiple of the interval: counted from when a pull ended, each would be late."""
    return (now // interval + 1) * interval


def _tell_refused(written: Written, limit: int) -> tuple[str | None, str | None]:
    if not written.refused_series:
        return None, None
    message = f"{written.refused_series} new series are refused: an organization may have {limit}."
    return "QUOTA_EXCEEDED", f"{message} Among them: {', '.join(written.refused[:SHOWN])}"
