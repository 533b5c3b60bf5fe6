"""Recommendations as they are kept: found, found again, no longer found, and what people say of them. The session comes
first; nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import jobs
from app.clusters import CONNECTED, Cluster
from app.kernel.clock import database_now, format_time, sql_days
from app.kernel.db import table_of
from app.kernel.errors import FieldError, Invalid
from app.kernel.events import announce
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.sre.events import RecommendationCreated
from app.sre.grounds import Grounds
from app.sre.intents import Recommend
from app.sre.models import APPLIED, DISMISSED, OPEN, QUEUED, RESOLVED, Recommendation, RecommendationApply
from app.sre.recommending import Finding, has_changed

# Until a change has reached all pods, and the inventory, what was found before is found once more.
SETTLING: Final = timedelta(hours=1)
SETTLED_DAYS: Final = 90
# A cluster whose namespaces come and go resolves thousands in a day.
MOST_RESOLVED: Final = 5_000

Key = tuple[str, str, str, str, str]


def keep_findings(session: Session, grounds: Grounds, findings: Sequence[Finding]) -> dict[str, int]:
    """Write what was found of a cluster, and settle what no longer is; returns how many are new, open again, resolved
    and open in all."""
    rows = _lock_rows(session, grounds.cluster_id, findings)
    counts = Counter({"created": 0, "reopened": 0, "resolved": 0})
    for finding in findings:
        row = rows.pop(_key_in(finding), None)
        if row is None:
            counts["created"] += _create(session, grounds, finding)
        elif not _is_newer(row, grounds.now):
            counts["reopened"] += _renew(session, row, finding, grounds.now)
    for row in rows.values():
        if row.status == OPEN and grounds.is_whole and not _is_newer(row, grounds.now):
            row.settle(RESOLVED, grounds.now)
            counts["resolved"] += 1
    session.flush()
    _forget_oldest(session, grounds.cluster_id)
    is_open = (Recommendation.cluster_id == grounds.cluster_id, Recommendation.status == OPEN)
    counts["open"] = session.execute(select(func.count()).where(*is_open)).scalar_one()
    return dict(counts)


def _lock_rows(session: Session, cluster_id: UUID, findings: Sequence[Finding]) -> dict[Key, Recommendation]:
    """Return what is open, and what was found before of things of the same names; not what was resolved long ago, which
    may be thousands."""
    names = {finding.about.name for finding in findings}
    known = or_(Recommendation.status == OPEN, Recommendation.resource_name.in_(names))
    mine = select(Recommendation).where(Recommendation.cluster_id == cluster_id, known).order_by(Recommendation.id)
    return {_key_of(row): row for row in session.scalars(mine.with_for_update())}


def _forget_oldest(session: Session, cluster_id: UUID) -> None:
    mine = (Recommendation.cluster_id == cluster_id, Recommendation.status == RESOLVED)
    newest_first = select(Recommendation.id).where(*mine).order_by(Recommendation.settled_at.desc(), Recommendation.id)
    _delete(session, Recommendation, newest_first.offset(MOST_RESOLVED))


def _key_of(row: Recommendation) -> Key:
    return (row.kind, row.resource_kind, row.namespace, row.resource_name, row.container)


def _key_in(finding: Finding) -> Key:
    about = finding.about
    return (finding.kind, about.kind, about.namespace, about.name, about.container)


def _content_of(finding: Finding) -> dict[str, Any]:
    return {
        "priority": finding.priority,
        "title": finding.title,
        "formula": finding.formula,
        "evidence": dict(finding.evidence),
        "confidence": finding.confidence,
        "expected_effect": dict(finding.effect),
        "command": finding.command,
        "patch": None if finding.patch is None else dict(finding.patch),
        "basis": finding.basis,
    }


def _create(session: Session, grounds: Grounds, finding: Finding) -> bool:
    """Write a recommendation, unless somebody else has just done so."""
    about, row_id = finding.about, new_id()
    row = insert(table_of(Recommendation)).values(
        id=row_id,
        organization_id=grounds.organization_id,
        cluster_id=grounds.cluster_id,
        kind=finding.kind,
        resource_kind=about.kind,
        namespace=about.namespace,
        resource_name=about.name,
        container=about.container,
        **_content_of(finding),
    )
    made = session.execute(row.on_conflict_do_nothing().returning(table_of(Recommendation).c.id)).scalar()
    if made is not None:
        _announce(session, session.get_one(Recommendation, row_id))
    return made is not None


def _is_newer(row: Recommendation, now: datetime) -> bool:
    """Tell whether a row says more than what was read at a moment: meanwhile it was applied or answered, or somebody
    else has looked."""
    return max(row.found_at, row.settled_at or row.found_at) > now


def _renew(session: Session, row: Recommendation, finding: Finding, now: datetime) -> bool:
    """Write what is found now; returns whether a settled one is open again by that. What was dismissed stays so for as
    long as it rests on the same."""
    changed = has_changed(row.settled_basis or {}, finding.basis)
    for name, value in _content_of(finding).items():
        setattr(row, name, value)
    row.found_at = now
    is_due = {
        OPEN: False,
        DISMISSED: changed,
        APPLIED: changed or (row.settled_at is not None and now - row.settled_at > SETTLING),
        RESOLVED: True,
    }
    if not is_due[row.status]:
        return False
    row.reopen()
    _announce(session, row)
    return True


def _announce(session: Session, row: Recommendation) -> None:
    event = RecommendationCreated(
        organization_id=row.organization_id,
        recommendation_id=row.id,
        cluster_id=row.cluster_id,
        kind=row.kind,
        resource_kind=row.resource_kind,
        namespace=row.namespace,
        resource_name=row.resource_name,
        container=row.container,
        priority=row.priority,
        confidence=row.confidence,
        title=row.title,
    )
    announce(session, event)


def give_feedback(session: Session, row: Recommendation, caller: Principal, said: dict[str, Any]) -> Recommendation:
    """Dismiss a recommendation or open it again, with what somebody has to say of it; the row is locked.

    Raises Invalid for a dismissal without a reason, IllegalMove.
    """
    status, reason = said["status"], said.get("reason")
    if status == DISMISSED and reason is None:
        raise Invalid(errors=[FieldError("reason", "Is missing: say why, so that others know.")])
    now = session.execute(select(database_now())).scalar_one()
    if status == DISMISSED:
        row.settle(DISMISSED, now)
    else:
        row.reopen()
    told = {"status": status, "reason": reason, "comment": said.get("comment")}
    row.say(told | {"by": str(caller.user_id), "at": format_time(now)})
    session.flush()
    return row


def ask_for_recommendations(
    session: Session, cluster: Cluster, asker: UUID | None = None, key: str | None = None
) -> UUID:
    """Accept the job that finds what should be done about a cluster, unless one waits that will find the same; returns
    its id. With a `key` there is one for each key."""
    if key is None and (waiting := _find_waiting(session, cluster.id)):
        return waiting
    return jobs.accept(
        session,
        Recommend(cluster.id),
        organization_id=cluster.organization_id,
        cluster_id=cluster.id,
        created_by=asker,
        resource=("cluster", cluster.id),
        key=key,
    )


def _find_waiting(session: Session, cluster_id: UUID) -> UUID | None:
    about = (jobs.Job.resource_type == "cluster", jobs.Job.resource_id == cluster_id, jobs.Job.kind == Recommend.kind)
    return session.scalar(select(jobs.Job.id).where(*about, jobs.Job.status == QUEUED).limit(1))


def ask_everywhere(session: Session, tick: str) -> int:
    """Ask for the recommendations of every connected cluster, once in each `tick`; returns of how many."""
    clusters = session.scalars(select(Cluster).where(Cluster.status == CONNECTED).order_by(Cluster.id)).all()
    for cluster in clusters:
        ask_for_recommendations(session, cluster, key=f"{Recommend.kind}:{cluster.id}:{tick}")
    return len(clusters)


def forget_settled(session: Session, limit: int = 1000) -> int:
    """Delete some recommendations that were resolved long ago, and some that somebody has done with and that were not
    found for as long; returns how many."""
    before, is_resolved = database_now() - sql_days(SETTLED_DAYS), Recommendation.status == RESOLVED
    is_done_with = Recommendation.status.in_((DISMISSED, APPLIED))
    long = or_(
        and_(is_resolved, Recommendation.settled_at < before), and_(is_done_with, Recommendation.found_at < before)
    )
    return _delete(session, Recommendation, select(Recommendation.id).where(long).limit(limit))


def forget_applies(session: Session, limit: int = 1000) -> int:
    """Delete what is known of some changes that were made or tried long ago; returns of how many."""
    old = RecommendationApply.finished_at < database_now() - sql_days(SETTLED_DAYS)
    return _delete(session, RecommendationApply, select(RecommendationApply.id).where(old).limit(limit))


def _delete(session: Session, model: Any, which: Select[Any]) -> int:
    gone = delete(model).where(model.id.in_(which)).execution_options(synchronize_session=False)
    return int(session.execute(gone).rowcount)  # type: ignore[attr-defined]
