"""Playing scripts: the inventory, the alerts and the anomalies of each minute are written as the platform would have
written them, and looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.clusters import CheckRules, Cluster, Observed, record_inventory
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.monitoring import Alert
from app.sre import clusters_to_look_at, keep_look, look_at_cluster
from app.sre.facts import KINDS
from app.sre.models import Anomaly, Problem
from tests.sre.problems.script import Incident, Stage, noise
from tests.support.scene import HASH, Scene

STEP = 3.0
RULES = CheckRules()
_SERIES = count(1_000_000)


@dataclass
class Theatre:
    """A cluster on which one script plays."""

    database: Database
    cluster_id: UUID
    organization_id: UUID
    stage: Stage
    alerts: dict[str, UUID] = field(default_factory=dict)
    observed: dict[str, Observed] = field(default_factory=dict)

    def play(self, incident: Incident) -> None:
        """Play a whole script, and look every STEP minutes."""
        scene, waiting = self.stage.scene, dict(incident.acts)
        for minute in scene.walk(incident.lasts, STEP):
            noise(self.stage, minute)
            for at in sorted(one for one in waiting if one <= minute):
                scene.now = scene.start + timedelta(minutes=at)
                waiting.pop(at)(self.stage, scene)
            scene.now = scene.start + timedelta(minutes=minute)
            self.look()

    def look(self) -> None:
        """Write how everything is, and look at it."""
        with self.database.transaction() as session:
            self._write_inventory(session)
            self._write_status(session)
            self._write_alerts(session)
            self._write_anomalies(session)
        with self.database.transaction() as session:
            found = look_at_cluster(session, self.cluster_id, now=self.stage.scene.now, with_usage=True)
            assert found is not None
            keep_look(session, found)
            if any(one.source != "fact" or KINDS[one.kind].needs != "usage" for one in found.signals):
                assert clusters_to_look_at(session, UUID(int=self.cluster_id.int - 1), 1)[0] == [self.cluster_id]

    def problems(self) -> list[Problem]:
        """Return all problems that were opened, the oldest first."""
        with self.database.transaction() as session:
            mine = select(Problem).where(Problem.cluster_id == self.cluster_id)
            return list(session.scalars(mine.order_by(Problem.created_at)))

    def _write_inventory(self, session: Session) -> None:
        """A list that says what it said would be compared and written for nothing: that is the inventory's own test."""
        observed = self.stage.scene.observe()
        changed = {kind: one for kind, one in observed.items() if self.observed.get(kind) != one}
        if changed:
            record_inventory(session, self.cluster_id, changed, RULES)
        self.observed = observed

    def _write_status(self, session: Session) -> None:
        cluster = session.get_one(Cluster, self.cluster_id)
        if not self.stage.is_lost:
            cluster.health.answered_at = self.stage.scene.now
        elif cluster.status == "connected":
            cluster.fail("connect: no answer within 5 s")

    def _write_alerts(self, session: Session) -> None:
        for key, one in self.stage.alerts.items():
            if key not in self.alerts:
                self.alerts[key] = self._fire(session, key, one)
        for key in set(self.alerts) - set(self.stage.alerts):
            session.get_one(Alert, self.alerts.pop(key)).status = "resolved"

    def _fire(self, session: Session, key: str, one: dict[str, Any]) -> UUID:
        said = {"source": "alertmanager", "title": one["name"], "description": "", "status": "firing"}
        said |= {name: one[name] for name in ("name", "severity", "labels")}
        moments = dict.fromkeys(("pending_at", "violated_at", "fired_at"), one["since"])
        place = {"organization_id": self.organization_id, "cluster_id": self.cluster_id}
        alert = Alert(id=new_id(), fingerprint=f"{self.cluster_id}{key}".encode()[:200], **place, **said, **moments)
        session.add(alert)
        return alert.id

    def _write_anomalies(self, session: Session) -> None:
        mine = select(Anomaly).where(Anomaly.cluster_id == self.cluster_id)
        stored = {one.series: one for one in session.scalars(mine)}
        for series, one in self.stage.anomalies.items():
            found = stored.get(series) or self._make(session, series, one)
            found.end, found.is_open = self.stage.scene.now, True
        for series in set(stored) - set(self.stage.anomalies):
            stored[series].is_open = False

    def _make(self, session: Session, series: str, one: dict[str, Any]) -> Anomaly:
        numbers = {"peak": 9.0, "score": 7.0, "low": 1.0, "high": 2.0, "reason": "higher than usual"}
        place = {"organization_id": self.organization_id, "cluster_id": self.cluster_id, "scan_id": new_id()}
        anomaly = Anomaly(series=series, series_id=next(_SERIES), severity=one["severity"], **place, **numbers)
        anomaly.start = anomaly.detected_at = anomaly.end = one["since"]
        anomaly.is_open = True
        session.add(anomaly)
        return anomaly


def usage_of(stage: Stage, incident: Incident, start: datetime) -> list[dict[str, Any]]:
    """Return the series of volumes and processors as they will have been when the script is over."""
    rehearsed = Stage(Scene(start))
    began: dict[str, float] = {}
    for minute, act in sorted(incident.acts.items()):
        rehearsed.scene.now = start + timedelta(minutes=minute)
        act(rehearsed, rehearsed.scene)
        began |= {one: began.get(one, minute) for one in rehearsed.throttled}
        if rehearsed.used is not None:
            began.setdefault("volume", minute)
    minutes = range(-60, int(incident.lasts) + 1)
    made = []
    if rehearsed.used is not None:
        labels = {"namespace": "shop", "persistentvolumeclaim": "data-db-0"}
        used = [(minute, rehearsed.used * 1e9 if minute >= began["volume"] else 7e8) for minute in minutes]
        made += [_series("kubelet_volume_stats_used_bytes", used, start, labels)]
        made += [_series("kubelet_volume_stats_capacity_bytes", [(one, 1e9) for one in minutes], start, labels)]
    for workload, share in rehearsed.throttled.items():
        made += _throttled(workload, share, began[workload], minutes, start)
    return made


def _throttled(workload: str, share: float, since: float, minutes: range, start: datetime) -> list[dict[str, Any]]:
    namespace, name = workload.split("/")
    labels = {"namespace": namespace, "pod": f"{name}-{HASH}-aaaa0", "container": "main"}
    periods = [(minute, 600.0 * (minute + 60)) for minute in minutes]
    held = [(minute, 600.0 * max(minute - since, 0) * share) for minute in minutes]
    made = [_series("container_cpu_cfs_periods_total", periods, start, labels)]
    return [*made, _series("container_cpu_cfs_throttled_periods_total", held, start, labels)]


def _series(name: str, points: Sequence[tuple[int, float]], start: datetime, labels: dict[str, str]) -> dict[str, Any]:
    began = start.timestamp()
    return {"name": name, "labels": labels, "points": [[began + 60 * minute, value] for minute, value in points]}
