"""Applying recommendations: who may, what is to be changed, what came of it, and a day later what it did. The session
comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.clusters import CONNECTED, Cluster, ClusterNotReady
from app.identity import read_rights
from app.kernel.clock import database_now
from app.kernel.principal import Principal, namespace_place, places_of
from app.sre.errors import AdviceDismissed, ApplyForbidden, ApplyGone, BeingApplied, IllegalMove, NothingToApply
from app.sre.intents import ApplyRecommendation, MeasureEffect
from app.sre.models import APPLIED, DISMISSED, OPEN, QUEUED, RUNNING, Recommendation, RecommendationApply
from app.sre.recommending import Subject

WRITE: Final = "namespaces:write"
APPLY: Final = "sre:apply"
MEASURED_AFTER: Final = 86_400.0
"""Seconds after a change at which its effect is measured: a day has all that a day has."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed of which object, if that still says the `facts`."""

    cluster_id: UUID
    about: Subject
    patch: Mapping[str, Any]
    facts: Mapping[str, Any]
    dry_run: bool


def may_write(caller: Principal, cluster: Cluster, namespace: str) -> bool:
    """Tell whether a caller may write in a namespace of a cluster."""
    return caller.may(WRITE, *places_of(cluster), namespace_place(cluster.id, namespace))


def ask_to_apply(
    session: Session, row: Recommendation, caller: Principal, *, dry_run: bool
) -> tuple[RecommendationApply, UUID]:
    """Write that a recommendation, whose row is locked, is to be applied or tried, with the job that does it.

    Raises NothingToApply, IllegalMove, BeingApplied, ClusterNotReady.
    """
    if row.patch is None:
        raise NothingToApply
    if row.status != OPEN:
        raise IllegalMove(f"The recommendation is {row.status}.", status=row.status)
    cluster = session.get_one(Cluster, row.cluster_id)
    if cluster.status != CONNECTED:
        raise ClusterNotReady(f"The cluster is {cluster.status}.", status=cluster.status)
    if not dry_run:
        _refuse_second(session, row.id)
    asked = RecommendationApply(
        organization_id=row.organization_id,
        cluster_id=row.cluster_id,
        recommendation_id=row.id,
        dry_run=dry_run,
        patch=row.patch,
        facts=row.basis["facts"],
        expected_effect=row.expected_effect,
        created_by=caller.user_id,
    )
    session.add(asked)
    session.flush()
    return asked, _accept(session, asked, ApplyRecommendation(asked.id), caller.user_id)


def _refuse_second(session: Session, recommendation_id: UUID) -> None:
    mine = (RecommendationApply.recommendation_id == recommendation_id, ~RecommendationApply.dry_run)
    unended = select(RecommendationApply.id).where(*mine, RecommendationApply.status.in_((QUEUED, RUNNING)))
    if session.execute(unended.limit(1)).scalar() is not None:
        raise BeingApplied


def _accept(session: Session, asked: RecommendationApply, intent: Any, asker: UUID | None, delay: float = 0.0) -> UUID:
    return jobs.accept(
        session,
        intent,
        organization_id=asked.organization_id,
        cluster_id=asked.cluster_id,
        created_by=asker,
        resource=("recommendation", asked.recommendation_id),
        delay=delay,
    )


def read_change(session: Session, apply_id: UUID) -> Change:
    """Return what is to be changed, within the rights that its asker has not lost since; raises ApplyGone,
    ApplyForbidden, AdviceDismissed."""
    asked = session.get(RecommendationApply, apply_id, with_for_update=True)
    row = session.get(Recommendation, asked.recommendation_id) if asked else None
    cluster = session.get(Cluster, asked.cluster_id) if asked else None
    asker = read_rights(session, asked.created_by) if asked else None
    if asked is None or row is None or cluster is None or asker is None:
        raise ApplyGone
    if not asker.may(APPLY, *places_of(cluster)) or not may_write(asker, cluster, row.namespace):
        raise ApplyForbidden
    if row.status == DISMISSED:
        raise AdviceDismissed
    asked.status = RUNNING
    session.flush()
    about = Subject(row.resource_kind, row.namespace, row.resource_name, row.container)
    return Change(cluster.id, about, asked.patch, asked.facts, asked.dry_run)


def record_outcome(session: Session, apply_id: UUID, outcome: dict[str, Any]) -> None:
    """Write what the cluster made of a change; one that was made is measured later."""
    asked = session.get_one(RecommendationApply, apply_id)
    asked.outcome = outcome
    if asked.dry_run:
        return
    row = session.get_one(Recommendation, asked.recommendation_id, with_for_update=True, populate_existing=True)
    if row.status == OPEN:
        row.settle(APPLIED, session.execute(select(database_now())).scalar_one())
    session.flush()
    _accept(session, asked, MeasureEffect(asked.id), asked.created_by, MEASURED_AFTER)


def apply_ended(session: Session, job: jobs.Job) -> None:
    """Let what was asked for have ended as its job has."""
    asked = _asked_by(session, job)
    if asked is not None:
        asked.status, asked.error, asked.finished_at = job.status, job.error, database_now()
        session.flush()


def apply_retried(session: Session, job: jobs.Job) -> None:
    """Let what was asked for wait again; raises BeingApplied where somebody has asked for it anew."""
    asked = _asked_by(session, job)
    if asked is not None:
        if not asked.dry_run:
            _refuse_second(session, asked.recommendation_id)
        asked.status, asked.error, asked.finished_at = QUEUED, None, None
        session.flush()


def _asked_by(session: Session, job: jobs.Job) -> RecommendationApply | None:
    return session.get(RecommendationApply, UUID(job.payload["apply_id"]), with_for_update=True)


def read_applied(session: Session, apply_id: UUID) -> tuple[RecommendationApply, Subject]:
    """Return what was applied, and to what; raises ApplyGone."""
    asked = session.get(RecommendationApply, apply_id)
    if asked is None or asked.finished_at is None:
        raise ApplyGone
    row = session.get_one(Recommendation, asked.recommendation_id)
    return asked, Subject(row.resource_kind, row.namespace, row.resource_name, row.container)


def record_effect(session: Session, apply_id: UUID, effect: dict[str, Any]) -> None:
    """Write what came of a change."""
    asked = session.get(RecommendationApply, apply_id, with_for_update=True)
    if asked is None:
        raise ApplyGone
    asked.effect, asked.measured_at = effect, database_now()
    session.flush()
