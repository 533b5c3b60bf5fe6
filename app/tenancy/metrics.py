"""Operations on workspaces as Prometheus reads them: which are open, and of the last hour how they ended and how long
their phases took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel.clock import database_now, sql_seconds
from app.tenancy.models import OPEN, Provisioning, ProvisioningPhase

QUANTILES: Final = (0.5, 0.95)
_AN_HOUR_AGO: Final = database_now() - sql_seconds(3600)


def read_metrics(session: Session) -> Iterator[Metric]:
    """Return all metrics of operations."""
    yield from _read_open(session)
    yield _read_ended(session)
    yield _read_phases(session)


def _read_open(session: Session) -> Iterator[Metric]:
    first = select(func.min(ProvisioningPhase.started_at)).where(ProvisioningPhase.provisioning_id == Provisioning.id)
    began = func.coalesce(first.scalar_subquery(), Provisioning.created_at)
    age = func.max(func.extract("epoch", database_now() - began))
    columns = (Provisioning.operation, Provisioning.status)
    rows = session.execute(select(*columns, func.count(), age).where(Provisioning.status.in_(OPEN)).group_by(*columns))
    count = GaugeMetricFamily(
        "headrace_provisionings", "Operations on workspaces that have not ended", labels=["operation", "status"]
    )
    oldest = GaugeMetricFamily(
        "headrace_provisionings_oldest_seconds",
        "For how long the oldest is at it",
        labels=["operation", "status"],
    )
    for operation, status, many, seconds in rows:
        count.add_metric([operation, status], many)
        oldest.add_metric([operation, status], float(seconds))
    yield from (count, oldest)


def _read_ended(session: Session) -> Metric:
    ended = GaugeMetricFamily(
        "headrace_provisionings_ended_last_hour",
        "Operations on workspaces that ended in the last hour, by how",
        labels=["operation", "outcome"],
    )
    columns = (Provisioning.operation, Provisioning.status)
    lately = select(*columns, func.count()).where(Provisioning.finished_at > _AN_HOUR_AGO).group_by(*columns)
    for operation, outcome, many in session.execute(lately):
        ended.add_metric([operation, outcome], many)
    return ended


def _read_phases(session: Session) -> Metric:
    took = GaugeMetricFamily(
        "headrace_provisioning_phase_seconds",
        "How long a phase took in the operations that ended in the last hour, by quantile",
        labels=["operation", "phase", "quantile"],
    )
    columns = (Provisioning.operation, ProvisioningPhase.name)
    shares = [func.percentile_cont(one).within_group(ProvisioningPhase.seconds) for one in QUANTILES]
    lately = (Provisioning.finished_at > _AN_HOUR_AGO, ProvisioningPhase.seconds.is_not(None))
    rows = select(*columns, *shares).join(ProvisioningPhase).where(*lately).group_by(*columns)
    for operation, phase, *seconds in session.execute(rows):
        for quantile, value in zip(QUANTILES, seconds, strict=True):
            took.add_metric([operation, phase, str(quantile)], float(value))
    return took
