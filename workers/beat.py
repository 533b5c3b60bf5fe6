"""What is due by the clock. Beat only sends the name; the tick's own key makes two beats accept one job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app import jobs
from app.clusters import SweepClusters
from app.identity import PruneIdentity
from app.jobs import PruneHistory
from app.kernel.clock import database_now
from app.kernel.db import Database
from app.kernel.intents import INTENTS
from app.messaging import PruneMessages, SweepRooms
from app.monitoring import FoldSamples, KeepMetrics, PullMetrics, WatchRules
from app.notifications import PruneNotifications
from app.pipelines import PruneArtifacts, PruneCaches, PruneDeliveries, RunSchedules
from app.sre import KeepScans, LookForProblems, RecommendEverywhere, RunScanSchedules
from app.tenancy import PruneSpaces, ReconcileSpaces
from app.webhooks import MakeDigests, PruneWebhooks, SweepWebhooks

ACCEPT_DUE = "schedule.accept_due"

PERIODS: dict[str, timedelta] = {
    PruneHistory.kind: timedelta(hours=1),
    PruneArtifacts.kind: timedelta(hours=1),
    PruneCaches.kind: timedelta(hours=1),
    PruneIdentity.kind: timedelta(hours=1),
    PruneDeliveries.kind: timedelta(hours=1),
    PruneMessages.kind: timedelta(hours=1),
    PruneNotifications.kind: timedelta(hours=1),
    SweepRooms.kind: timedelta(hours=1),
    PruneSpaces.kind: timedelta(hours=1),
    RunSchedules.kind: timedelta(minutes=1),
    ReconcileSpaces.kind: timedelta(minutes=1),
    SweepClusters.kind: timedelta(minutes=1),
    FoldSamples.kind: timedelta(minutes=10),
    KeepMetrics.kind: timedelta(hours=1),
    WatchRules.kind: timedelta(minutes=1),
    PullMetrics.kind: timedelta(minutes=1),
    KeepScans.kind: timedelta(hours=1),
    RunScanSchedules.kind: timedelta(minutes=1),
    LookForProblems.kind: timedelta(minutes=1),
    RecommendEverywhere.kind: timedelta(hours=6),
    SweepWebhooks.kind: timedelta(minutes=1),
    MakeDigests.kind: timedelta(hours=1),
    PruneWebhooks.kind: timedelta(hours=1),
}

SCHEDULE: dict[str, dict[str, Any]] = {
    kind: {"task": ACCEPT_DUE, "schedule": period, "args": (kind,), "options": {"queue": "default"}}
    for kind, period in PERIODS.items()
}


def accept_due(database: Database, kind: str) -> None:
    """Accept the periodic job of this tick, unless another beat's message has done so.

    Ticks are counted by the database's clock: workers whose own differ would each count their own.
    """
    with database.transaction() as session:
        moment = session.execute(select(database_now())).scalar_one()
        tick = int(moment.timestamp() // PERIODS[kind].total_seconds())
        jobs.accept(session, INTENTS[kind](), key=f"schedule:{kind}:{tick}")
