"""Rules, alerts with their stories, groups, silences, and trials of rules on the past."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Identity, Index, Integer, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.monitoring.alerting.conditions import KINDS
from app.monitoring.alerting.episodes import FIRING, PENDING, RESOLVED

SEVERITIES: Final = ("critical", "warning", "info")
STATUSES: Final = (PENDING, FIRING, RESOLVED)
RULE: Final = "rule"
ALERTMANAGER: Final = "alertmanager"
SOURCES: Final = (RULE, ALERTMANAGER)


class AlertRule(Base):
    """When somebody wants to be told of series, and whom. `evaluated_at` is the newest step that was looked at, in
    seconds since the epoch; `error` why the newest look failed."""

    __tablename__ = "alert_rules"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
        Index("ix_alert_rules_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_alert_rules_next_run_at", "next_run_at", postgresql_where=text("enabled")),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    query: Mapped[str]
    operator: Mapped[str]
    threshold: Mapped[float] = mapped_column(Float)
    window_seconds: Mapped[int] = mapped_column(Integer)
    percent: Mapped[bool]
    for_seconds: Mapped[int] = mapped_column(Integer)
    keep_seconds: Mapped[int] = mapped_column(Integer)
    interval_seconds: Mapped[int] = mapped_column(Integer)
    severity: Mapped[str]
    labels: Mapped[dict[str, Any]]
    title: Mapped[str]
    description: Mapped[str]
    group_by: Mapped[list[Any]]
    group_wait_seconds: Mapped[int] = mapped_column(Integer)
    group_interval_seconds: Mapped[int] = mapped_column(Integer)
    repeat_seconds: Mapped[int] = mapped_column(Integer)
    inhibits: Mapped[dict[str, Any] | None]
    routes: Mapped[list[Any]]
    enabled: Mapped[bool]
    evaluated_at: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str | None]
    next_run_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


class AlertGroup(Base):
    """Alerts that are told together: those of a rule, or of an Alertmanager, that agree in some labels. `due_at` is
    when it is looked at next, `told_at` when it was last told of."""

    __tablename__ = "alert_groups"
    __table_args__ = (
        Index("uq_alert_groups_key", "organization_id", "key", unique=True),
        Index("ix_alert_groups_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    rule_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_rules.id", ondelete="SET NULL"))
    key: Mapped[bytes]
    labels: Mapped[dict[str, Any]]
    due_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Alert(Base):
    """Something that is, or was, as a rule says. `told_at` is when it was last announced; one that never was has the
    reason in its story. It is `settled` when there is nothing more to tell of it. Times of the condition are those
    of its steps."""

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
        Index(
            "uq_alerts_active",
            *("organization_id", "fingerprint"),
            unique=True,
            postgresql_where=text("status <> 'resolved'"),
        ),
        Index("ix_alerts_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_alerts_rule_id_status", "rule_id", "status"),
        Index("ix_alerts_group_id_status", "group_id", "status"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    rule_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_rules.id", ondelete="SET NULL"))
    group_id: Mapped[UUID | None] = mapped_column(ForeignKey("alert_groups.id", ondelete="SET NULL"))
    source: Mapped[str]
    name: Mapped[str]
    labels: Mapped[dict[str, Any]]
    fingerprint: Mapped[bytes]
    severity: Mapped[str]
    status: Mapped[str]
    title: Mapped[str]
    description: Mapped[str]
    value: Mapped[float | None] = mapped_column(Float)
    pending_at: Mapped[datetime]
    violated_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    told_at: Mapped[datetime | None]
    settled: Mapped[bool] = mapped_column(server_default=false(), default=False)
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[UUID | None]
    resolved_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class AlertStep(Base):
    """A step of an alert's story: what happened, with what decided it."""

    __tablename__ = "alert_steps"
    __table_args__ = (Index("ix_alert_steps_alert_id", "alert_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    alert_id: Mapped[UUID] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    step: Mapped[str]
    detail: Mapped[dict[str, Any]]


class Silence(Base):
    """Alerts that nobody is to be told of for a time, by their labels: a `silence`, or a planned `maintenance`."""

    __tablename__ = "silences"
    __table_args__ = (
        CheckConstraint("kind IN ('silence', 'maintenance')", name="kind"),
        CheckConstraint("repeats IN ('daily', 'weekly')", name="repeats"),
        Index("ix_silences_organization_id_created_at", "organization_id", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    kind: Mapped[str]
    matchers: Mapped[list[Any]]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    repeats: Mapped[str | None]
    comment: Mapped[str]
    ended_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())


class AlertTrial(Base):
    """A rule that is tried on stored history, beside the one it would replace."""

    __tablename__ = "alert_trials"
    __table_args__ = (Index("ix_alert_trials_organization_id_created_at", "organization_id", "created_at", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"))
    rule_id: Mapped[UUID | None]
    proposed: Mapped[dict[str, Any]]
    start: Mapped[float] = mapped_column(Float)
    end: Mapped[float] = mapped_column(Float)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


audited(AlertRule, "alert_rule", ("name", "kind", "query", "operator", "threshold", "severity", "enabled"))
audited(Alert, "alert", ("acknowledged_at", "status"))
audited(Silence, "silence", ("kind", "matchers", "starts_at", "ends_at", "comment", "ended_at"))
audited(AlertTrial, "alert_trial", ("rule_id",))
