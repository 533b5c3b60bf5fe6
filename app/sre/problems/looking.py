"""Looking: at what places there may be problems, and what facts, alerts and anomalies say of one. The session comes
first; nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, cast, exists, or_, select, union
from sqlalchemy.orm import Session

from app.clusters import Cluster, Observation, clusters_to_observe, find_doubtful, observation_of
from app.kernel.clock import database_now, format_time
from app.kernel.errors import Refusal
from app.monitoring import FIRING, Alert, Place, find_muted, firing_alerts
from app.sre.facts import CRITICAL, INFO, KINDS, Fact, Thing, View, Workloads, find_facts, looked_at
from app.sre.facts.base import HEALTH, USAGE
from app.sre.models import UNRESOLVED, Anomaly, Problem, ProblemSignal
from app.sre.problems.keeping import Look
from app.sre.problems.signals import ALERT, ANOMALY, Signal, Topology, labels_in, signal_of_fact
from app.sre.problems.usage import measured_clusters, read_usage_facts

# An anomaly whose series is scanned no more stays open for ever.
LATELY: Final = timedelta(hours=6)
# Of volumes and processors much is read, and little happens within a minute.
USAGE_MINUTES: Final = 5
MOST: Final = 500


def clusters_to_look_at(session: Session, after: UUID | None, limit: int) -> tuple[list[UUID], UUID | None]:
    """Return those of the next clusters, in the order of their ids, of which there may be something to tell, and the
    last of the next; None after all of them. A look at a cluster that is simply well would be thousands for nothing."""
    some = clusters_to_observe(session, after, limit)
    if not some:
        return [], None
    now = _read_now(session)
    chosen = find_doubtful(session, some)
    alerts = select(Alert.cluster_id).where(Alert.cluster_id.in_(some), Alert.status == FIRING)
    labelled = select(Cluster.id).join(Alert, _is_named()).where(Cluster.id.in_(some), Alert.status == FIRING)
    anomalies = select(Anomaly.cluster_id).where(Anomaly.cluster_id.in_(some), *_open_since(now))
    problems = select(Problem.cluster_id).where(Problem.cluster_id.in_(some), _is_kept())
    chosen |= set(session.scalars(union(alerts, labelled, anomalies, problems)))
    if _is_time_for_usage(now):
        chosen |= measured_clusters(session, some)
    return [one for one in some if one in chosen], some[-1]


def _is_kept() -> ColumnElement[bool]:
    """A problem that is not over, or something of which still holds."""
    holds = exists().where(ProblemSignal.problem_id == Problem.id, ProblemSignal.ended_at.is_(None))
    return or_(Problem.status.in_(UNRESOLVED), holds)


def places_without_cluster(session: Session) -> list[Place]:
    """Return the organizations and workspaces in which something is the matter that lies on no cluster."""
    now = _read_now(session)
    alerts = select(Alert.organization_id, Alert.workspace_id).where(Alert.cluster_id.is_(None))
    alerts = alerts.where(~exists().where(_is_named()))
    anomalies = select(Anomaly.organization_id, Anomaly.workspace_id).where(*_open_anomalies(now, None))
    problems = select(Problem.organization_id, Problem.workspace_id).where(Problem.cluster_id.is_(None))
    found = union(alerts.where(Alert.status == FIRING), anomalies, problems.where(_is_kept()))
    return [Place(organization_id, workspace_id, None) for organization_id, workspace_id in session.execute(found)]


def look_at_cluster(
    session: Session, cluster_id: UUID, *, now: datetime | None = None, with_usage: bool | None = None
) -> Look | None:
    """Return all that speaks of a cluster now, or at another moment; None where it is gone. How volumes and processors
    are used is read every few minutes, unless said otherwise."""
    now = now or _read_now(session)
    seen = observation_of(session, cluster_id, now)
    if seen is None:
        return None
    is_here = or_(Alert.cluster_id == cluster_id, and_(*_is_free(), _named_cluster() == str(cluster_id)))
    alerts = firing_alerts(session, seen.organization_id, is_here, most=MOST)
    anomalies = _read_oldest(session, *_open_anomalies(now, cluster_id))
    if pods := _named_pods([*(one.labels for one in alerts), *(labels_in(one.series) for one in anomalies)]):
        seen = observation_of(session, cluster_id, now, pods) or seen
    if with_usage is None:
        with_usage = _is_time_for_usage(now)
    topology = Topology(seen.objects)
    # Of what was not seen lately nobody knows how it is now.
    kinds = {*seen.fresh, HEALTH, *((USAGE,) if with_usage and seen.fresh else ())}
    facts = find_facts(View(seen.objects, now), kinds) + _tell_lost(seen)
    if USAGE in kinds:
        usage = _read_usage(session, cluster_id, topology.workloads, now)
        facts, kinds = (facts, kinds - {USAGE}) if usage is None else (facts + usage, kinds)
    place = Place(seen.organization_id, None, cluster_id)
    signals = [*(signal_of_fact(fact, now) for fact in facts), *_read_alerts(session, place, alerts, topology, now)]
    return Look(place, now, [*signals, *_read_anomalies(anomalies, topology)], looked_at(kinds))


def look_at_place(session: Session, place: Place, *, now: datetime | None = None) -> Look:
    """Return the alerts and anomalies of an organization or workspace that lie on no cluster."""
    now = now or _read_now(session)
    is_here = (Alert.cluster_id.is_(None), Alert.workspace_id.is_not_distinct_from(place.workspace_id))
    on_cluster = exists().where(_is_named())
    alerts = firing_alerts(session, place.organization_id, *is_here, ~on_cluster, most=MOST)
    mine = (
        Anomaly.organization_id == place.organization_id,
        Anomaly.workspace_id.is_not_distinct_from(place.workspace_id),
    )
    anomalies = _read_oldest(session, *mine, *_open_anomalies(now, None))
    topology = Topology({})
    signals = _read_alerts(session, place, alerts, topology, now)
    return Look(place, now, [*signals, *_read_anomalies(anomalies, topology)], frozenset(KINDS))


def _read_now(session: Session) -> datetime:
    now: datetime = session.execute(select(database_now())).scalar_one()
    return now


def _is_time_for_usage(now: datetime) -> bool:
    return int(now.timestamp() // 60) % USAGE_MINUTES == 0


def _open_since(now: datetime) -> tuple[Any, ...]:
    return (Anomaly.is_open, Anomaly.series_id.is_not(None), Anomaly.end >= now - LATELY)


def _open_anomalies(now: datetime, cluster_id: UUID | None) -> tuple[Any, ...]:
    """Those of stored series: what a client has judged of series of its own is no matter of ours."""
    lies = Anomaly.cluster_id == cluster_id if cluster_id else Anomaly.cluster_id.is_(None)
    return (lies, *_open_since(now))


def _read_oldest(session: Session, *where: ColumnElement[bool]) -> Sequence[Anomaly]:
    """Of many the same with each look: one that is left out looks as if it were over."""
    return session.scalars(select(Anomaly).where(*where).order_by(Anomaly.start, Anomaly.id).limit(MOST)).all()


def _named_cluster() -> ColumnElement[str]:
    named: ColumnElement[str] = Alert.labels["cluster_id"].astext
    return named


def _is_free() -> tuple[ColumnElement[bool], ...]:
    """An alert of an organization may be about a cluster by its label. One of a workspace stays there: who writes or
    reads alerts of a workspace need have no right to the cluster, nor the other way round."""
    return (Alert.cluster_id.is_(None), Alert.workspace_id.is_(None))


def _is_named() -> ColumnElement[bool]:
    mine = (Cluster.organization_id == Alert.organization_id, cast(Cluster.id, Text) == _named_cluster())
    return and_(*_is_free(), *mine)


def _named_pods(labels: Iterable[Mapping[str, str]]) -> set[tuple[str, str]]:
    return {(one["namespace"], one["pod"]) for one in labels if "namespace" in one and "pod" in one}


def _read_usage(session: Session, cluster_id: UUID, workloads: Workloads, now: datetime) -> list[Fact] | None:
    """Return None where more is written than can be read: whoever writes it must not hide what else is wrong."""
    try:
        return read_usage_facts(session, cluster_id, workloads, now)
    except Refusal:
        return None


def _tell_lost(seen: Observation) -> list[Fact]:
    if seen.status == "connected" or seen.lost_at is None:
        return []
    lost = Fact(
        kind="ClusterUnreachable",
        about=Thing("Cluster", "", seen.name),
        severity=CRITICAL,
        message=f"Cluster {seen.name} cannot be used: {seen.reason or 'it does not answer'}",
        since=seen.lost_at,
        evidence={"status": seen.status, "reason": seen.reason},
    )
    return [lost]


def _read_alerts(
    session: Session, place: Place, alerts: Sequence[Alert], topology: Topology, now: datetime
) -> list[Signal]:
    muted = find_muted(session, place.organization_id, alerts, now) if alerts else set()
    return [_tell_alert(one, topology, is_muted=one.id in muted) for one in alerts]


def _tell_alert(alert: Alert, topology: Topology, *, is_muted: bool) -> Signal:
    things = topology.read(alert.labels)
    value = None if alert.value is None else round(alert.value, 6)
    evidence = {"alert_id": str(alert.id), "labels": alert.labels, "value": value, "muted": is_muted}
    return Signal(
        key=f"{ALERT}:{bytes(alert.fingerprint).hex()}",
        source=ALERT,
        kind=alert.name,
        about=things[0] if things else None,
        severity=alert.severity,
        message=alert.title,
        # What the rule waits for has been there before it fires.
        start=alert.pending_at,
        places=frozenset(things),
        trait=str(alert.rule_id or alert.name),
        opens=alert.severity != INFO and not is_muted,
        evidence=evidence,
    )


def _read_anomalies(anomalies: Iterable[Anomaly], topology: Topology) -> list[Signal]:
    newest = {one.series_id: one for one in sorted(anomalies, key=lambda one: one.start)}
    return [_tell_anomaly(one, topology) for one in newest.values()]


def _tell_anomaly(anomaly: Anomaly, topology: Topology) -> Signal:
    things = topology.read(labels_in(anomaly.series))
    score, found = round(anomaly.score, 3), format_time(anomaly.detected_at)
    return Signal(
        key=f"{ANOMALY}:{anomaly.series_id}",
        source=ANOMALY,
        kind=anomaly.series.partition("{")[0],
        about=things[0] if things else None,
        severity=anomaly.severity,
        message=f"{anomaly.series}: {anomaly.reason}",
        start=anomaly.start,
        places=frozenset(things),
        opens=False,
        evidence={"anomaly_id": str(anomaly.id), "score": score, "expected": anomaly.expected, "detected_at": found},
    )
