"""Insights: how clusters fare, what has changed, and who needs attention; from what is stored, nobody is asked. The
session comes first; nothing here writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.clusters import CONNECTED, PODS, Cluster, ClusterCheck, ClusterObject
from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.monitoring import AT_WORK, Alert, compare_usages, shares_of_clusters
from app.sre import scores
from app.sre.models import Anomaly

MOST_CLUSTERS: Final = 200
BEST: Final = 5
WORST: Final = 3
DAY: Final = timedelta(days=1)
FIRING: Final = "firing"
# KubeNexus' words of an overview: from here on it is good, or a reason to look.
GOOD_RATE: Final = 0.9
POOR_RATE: Final = 0.7
MANY_AFFECTED: Final = 0.3


def visible_to(caller: Principal, organization_id: UUID) -> Any:
    """Select the clusters of an organization whose insights a caller may read."""
    rows = select(Cluster).where(visible(caller, "sre:read", Cluster.organization_id, Cluster.id))
    return rows.where(Cluster.organization_id == organization_id).order_by(Cluster.name).limit(MOST_CLUSTERS)


def show_cluster(session: Session, cluster: Cluster, days: int, now: datetime) -> dict[str, Any]:
    """Return a cluster's score with its parts, what it uses against the time before, and what went wrong each day."""
    trends = _count_days(session, cluster.id, days, now)
    return {
        "cluster_id": cluster.id,
        "name": cluster.name,
        "status": cluster.status,
        "days": days,
        "health": score_clusters(session, [cluster], now)[cluster.id],
        "trend": scores.find_trend(one["alerts"] + one["anomalies"] for one in trends),
        "performance": compare_usages(session, cluster.id, now.timestamp(), days * DAY.total_seconds()),
        "trends": trends,
    }


def show_overview(session: Session, clusters: Sequence[Cluster], now: datetime) -> dict[str, Any]:
    """Return how some clusters fare, and what of it is worth a look."""
    judged = score_clusters(session, clusters, now)
    known = [(one, judged[one.id].score) for one in clusters if judged[one.id].score is not None]
    ranked = sorted(known, key=lambda pair: (-(pair[1] or 0.0), pair[0].name))
    healthy = sum(judged[one.id].level == scores.HEALTHY for one in clusters)
    counted = _count_day(session, [one.id for one in clusters], now)
    attention = [one for one, _ in reversed(ranked) if judged[one.id].level != scores.HEALTHY][:WORST]
    told = {
        "clusters": len(clusters),
        "healthy_clusters": healthy,
        "average_score": round(sum(score or 0.0 for _, score in known) / len(known), 1) if known else None,
        **counted,
        "top_performing": [_name(one, judged) for one, _ in ranked[:BEST]],
        "needing_attention": [_name(one, judged) for one in attention],
    }
    return told | {"insights": list(_say(told))}


def _name(cluster: Cluster, judged: Mapping[UUID, scores.Score]) -> dict[str, Any]:
    score = judged[cluster.id]
    worst = min((part for part in score.parts if part.score is not None), key=lambda part: part.score or 0.0)
    message = worst.message if (worst.score or 0.0) < 100 else "All is well."
    if _is_away(cluster):
        message = "It does not answer."
    told = {"cluster_id": cluster.id, "name": cluster.name, "score": score.score, "level": score.level}
    return told | {"message": message}


def _is_away(cluster: Cluster) -> bool:
    return cluster.status != CONNECTED or cluster.health.failures > 0


def _say(told: Mapping[str, Any]) -> Iterable[dict[str, str]]:
    rate, clusters = told["resolution_rate"], told["clusters"]
    if rate is not None and rate >= GOOD_RATE:
        yield {"level": "positive", "message": f"{rate:.0%} of the alerts of the last day are resolved."}
    if rate is not None and rate < POOR_RATE:
        yield {"level": "warning", "message": f"Only {rate:.0%} of the alerts of the last day are resolved."}
    affected = clusters - told["healthy_clusters"]
    if clusters and affected / clusters > MANY_AFFECTED:
        yield {"level": "warning", "message": f"{affected} of {clusters} clusters are not healthy."}


def score_clusters(session: Session, clusters: Collection[Cluster], now: datetime) -> dict[UUID, scores.Score]:
    """Return the score of each cluster, by its id."""
    ids = [cluster.id for cluster in clusters]
    checks, pods, firing = _count_checks(session, ids), _count_pods(session, ids), _count_firing(session, ids)
    shares = shares_of_clusters(session, ids, now.timestamp())
    judged = {}
    for one in clusters:
        parts = (
            scores.of_checks(*checks.get(one.id, (0, 0))),
            scores.of_nodes(one.health.ready_nodes, one.health.node_count),
            scores.of_pods(*pods.get(one.id, (0, 0))),
            scores.of_use(shares.get(one.id, {})),
            scores.of_alerts(firing.get(one.id, {})),
        )
        judged[one.id] = scores.judge(parts, is_away=_is_away(one))
    return judged


def _count_checks(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    healthy = func.count().filter(ClusterCheck.healthy)
    rows = select(ClusterCheck.cluster_id, healthy, func.count()).where(ClusterCheck.cluster_id.in_(ids))
    return {row[0]: (row[1], row[2]) for row in session.execute(rows.group_by(ClusterCheck.cluster_id))}


def _count_pods(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    failing = func.count().filter(ClusterObject.status.not_in(AT_WORK))
    rows = select(ClusterObject.cluster_id, failing, func.count())
    mine = rows.where(ClusterObject.cluster_id.in_(ids), ClusterObject.kind == PODS)
    return {row[0]: (row[1], row[2]) for row in session.execute(mine.group_by(ClusterObject.cluster_id))}


def _count_firing(session: Session, ids: Collection[UUID]) -> dict[UUID | None, dict[str, int]]:
    rows = select(Alert.cluster_id, Alert.severity, func.count())
    firing = rows.where(Alert.cluster_id.in_(ids), Alert.status == FIRING)
    counted: dict[UUID | None, dict[str, int]] = defaultdict(dict)
    for cluster_id, severity, count in session.execute(firing.group_by(Alert.cluster_id, Alert.severity)):
        counted[cluster_id][severity] = count
    return counted


def _count_day(session: Session, ids: Collection[UUID], now: datetime) -> dict[str, Any]:
    """Return how many alerts fired in the last day, how many of these are resolved, and how many anomalies began."""
    fired = (Alert.cluster_id.in_(ids), Alert.fired_at > now - DAY)
    row = session.execute(select(func.count(), func.count(Alert.resolved_at)).where(*fired)).one()
    began = (Anomaly.cluster_id.in_(ids), Anomaly.start > now - DAY)
    anomalies = session.execute(select(func.count()).select_from(Anomaly).where(*began)).scalar_one()
    rate = round(row[1] / row[0], 3) if row[0] else None
    return {"alerts_24h": row[0], "resolved_24h": row[1], "resolution_rate": rate, "anomalies_24h": anomalies}


def _count_days(session: Session, cluster_id: UUID, days: int, now: datetime) -> list[dict[str, Any]]:
    """Return what went wrong on each of some days, in UTC, today the last."""
    first = (now - (days - 1) * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    critical = func.count().filter(Alert.severity == "critical")
    of_alerts = (Alert.cluster_id == cluster_id, Alert.fired_at >= first)
    alerts = _by_day(session, Alert.fired_at, of_alerts, func.count(), critical, func.count(Alert.resolved_at))
    of_anomalies = (Anomaly.cluster_id == cluster_id, Anomaly.start >= first)
    anomalies = _by_day(session, Anomaly.start, of_anomalies, func.count())
    shown = []
    for number in range(days):
        date = (first + number * DAY).date()
        fired, urgent, resolved = alerts.get(date, (0, 0, 0))
        counts = {"alerts": fired, "critical": urgent, "resolved": resolved}
        shown.append({"date": date, **counts, "anomalies": anomalies.get(date, (0,))[0]})
    return shown


def _by_day(session: Session, moment: Any, which: Sequence[Any], *counted: Any) -> dict[Any, tuple[int, ...]]:
    day = func.date(func.timezone("UTC", moment))
    rows = select(day, *counted).where(*which).group_by(day)
    return {row[0]: tuple(row[1:]) for row in session.execute(rows)}
