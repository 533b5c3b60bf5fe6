"""Webhooks: endpoints that are told of events, how they fare, and what was or is to be delivered to them.

endpoint  active ⇄ suspended · each of them ⇄ inactive · each of them ──▶ disabled ──▶ active | inactive
delivery  pending ──▶ delivering ──▶ succeeded | retrying | failed · retrying ──▶ delivering · ended ──▶ pending
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals
from app.webhooks.errors import IllegalMove

ACTIVE: Final = "active"
INACTIVE: Final = "inactive"
SUSPENDED: Final = "suspended"
DISABLED: Final = "disabled"
STATES: Final = (ACTIVE, INACTIVE, SUSPENDED, DISABLED)
LISTENING: Final = (ACTIVE, SUSPENDED)

UNORDERED: Final = "none"
PER_SUBJECT: Final = "per-subject"
ORDERINGS: Final = (UNORDERED, PER_SUBJECT)

PENDING: Final = "pending"
DELIVERING: Final = "delivering"
RETRYING: Final = "retrying"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
DELIVERY_STATUSES: Final = (PENDING, DELIVERING, RETRYING, SUCCEEDED, FAILED)

EVENT: Final = "event"
TEST: Final = "test"
DIGEST: Final = "digest"
DELIVERY_KINDS: Final = (EVENT, TEST, DIGEST)

LOST: Final = "lost"
OUTCOMES: Final = (SUCCEEDED, FAILED, LOST)

_MOVES: Final = {
    ACTIVE: {INACTIVE, SUSPENDED, DISABLED},
    INACTIVE: {ACTIVE},
    SUSPENDED: {ACTIVE, INACTIVE, DISABLED},
    DISABLED: {ACTIVE, INACTIVE},
}


class Webhook(Base):
    """An endpoint of an organization or of a client application, and which events it is told of.

    `secret`, `previous_secret` and `custom_headers` are encrypted and not loaded with the row. How it fares is in
    `WebhookHealth`, so that a delivery changes no entity tag.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        CheckConstraint("num_nonnulls(organization_id, client_id) = 1", name="owner"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint(f"ordering IN {ORDERINGS}", name="ordering"),
        Index("ix_webhook_endpoints_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_webhook_endpoints_client_id_created_at", "client_id", "created_at", "id"),
        Index("ix_webhook_endpoints_created_at", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID | None] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("clients.id", ondelete="CASCADE"))
    url: Mapped[str]
    description: Mapped[str | None]
    events: Mapped[list[Any]]
    resource_filters: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    ordering: Mapped[str] = mapped_column(server_default=UNORDERED, default=UNORDERED)
    concurrency: Mapped[int] = mapped_column(Integer, server_default="5", default=5)
    meta: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    secret: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    previous_secret: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    previous_until: Mapped[datetime | None]
    custom_headers: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    state: Mapped[str] = mapped_column(server_default=ACTIVE, default=ACTIVE)
    state_reason: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    @property
    def is_active(self) -> bool:
        """Whether it is told of events."""
        return self.state in LISTENING

    @property
    def is_ordered(self) -> bool:
        """Whether events about one subject are told one after the other, numbered."""
        return self.ordering == PER_SUBJECT

    def activate(self) -> None:
        """It is told of events from now on. Raises IllegalMove when it is."""
        self._move(ACTIVE, None)

    def deactivate(self) -> None:
        """Its owner turns it off. Raises IllegalMove when it is."""
        self._move(INACTIVE, None)

    def suspend(self, reason: str) -> None:
        """It has failed so often that only one delivery at a time is tried, now and then."""
        self._move(SUSPENDED, reason)

    def disable(self, reason: str) -> None:
        """The platform turns it off."""
        self._move(DISABLED, reason)

    def _move(self, state: str, reason: str | None) -> None:
        if state not in _MOVES[self.state]:
            raise IllegalMove(f"A webhook that is {self.state} cannot become {state}.", state=self.state)
        self.state, self.state_reason = state, reason


class WebhookHealth(Base):
    """How an endpoint fares; locked by whoever changes what is to be delivered to it.

    `failures` counts attempts that failed one after the other, since `failing_since`. At `due_at` somebody should look
    what is to be delivered; `served_at` is when that was done, so that all get their turn.
    """

    __tablename__ = "webhook_health"
    __table_args__ = (Index("ix_webhook_health_due_at", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    failing_since: Mapped[datetime | None]
    last_delivery_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_error: Mapped[str | None]
    due_at: Mapped[datetime | None]
    served_at: Mapped[datetime | None]


class Delivery(Base):
    """One event for one endpoint. `body` is what is sent, byte for byte, at every attempt.

    `attempt` counts attempts and fences them; `tries` counts those that failed since it was begun or replayed.
    `next_attempt_at` is when it is due; while it is `delivering`, when its attempt counts as lost. It is empty for what
    has ended, and for what waits behind another event of its `subject`, by `sequence`.
    """

    __tablename__ = "outgoing_deliveries"
    __table_args__ = (
        CheckConstraint(f"status IN {DELIVERY_STATUSES}", name="status"),
        CheckConstraint(f"kind IN {DELIVERY_KINDS}", name="kind"),
        UniqueConstraint("webhook_id", "event_id"),
        Index("ix_outgoing_deliveries_webhook_id_created_at", "webhook_id", "created_at", "id"),
        Index("ix_outgoing_deliveries_created_at", "created_at"),
        Index(
            "ix_outgoing_deliveries_due",
            "webhook_id",
            "next_attempt_at",
            postgresql_where=text("next_attempt_at IS NOT NULL"),
        ),
        Index("ix_outgoing_deliveries_busy", "webhook_id", postgresql_where=text("status = 'delivering'")),
        Index(
            "ix_outgoing_deliveries_line",
            "webhook_id",
            "subject",
            "sequence",
            postgresql_where=text("sequence IS NOT NULL AND finished_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    kind: Mapped[str]
    event_id: Mapped[UUID]
    event_type: Mapped[str]
    subject: Mapped[str | None]
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    body: Mapped[str]
    status: Mapped[str] = mapped_column(server_default=PENDING, default=PENDING)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    tries: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    next_attempt_at: Mapped[datetime | None]
    begun_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    last_status: Mapped[int | None] = mapped_column(Integer)
    last_code: Mapped[str | None]
    last_error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    @property
    def is_endless(self) -> bool:
        """Whether it is tried as long as its endpoint is on: what has a number, and what tells that no number is
        missing."""
        return self.sequence is not None or self.kind == DIGEST

    def succeed(self, moment: datetime) -> None:
        """The receiver has taken it."""
        self._end(SUCCEEDED, moment)

    def fail(self, moment: datetime) -> None:
        """It is not tried any more."""
        self._end(FAILED, moment)

    def retry_at(self, moment: datetime) -> None:
        """It is tried again then."""
        self._leave_attempt()
        self.status, self.next_attempt_at = RETRYING, moment

    def replay(self) -> None:
        """It is delivered as if it never had been; the caller says when. Raises IllegalMove while it is on its way."""
        if self.status == DELIVERING:
            raise IllegalMove("This delivery is on its way now.", status=self.status)
        self.status, self.tries = PENDING, 0
        self.finished_at = self.next_attempt_at = None

    def _end(self, status: str, moment: datetime) -> None:
        self._leave_attempt()
        self.status, self.next_attempt_at, self.finished_at = status, None, moment

    def _leave_attempt(self) -> None:
        if self.status != DELIVERING:
            raise IllegalMove(f"A delivery that is {self.status} has no attempt to end.", status=self.status)


class Attempt(Base):
    """One try of a delivery: written before the request, its outcome after the answer. `lost` is one whose worker never
    told: the receiver may have got it."""

    __tablename__ = "outgoing_attempts"
    __table_args__ = (Index("ix_outgoing_attempts_webhook_id_begun_at", "webhook_id", "begun_at"),)

    delivery_id: Mapped[UUID] = mapped_column(
        ForeignKey("outgoing_deliveries.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    webhook_id: Mapped[UUID]
    url: Mapped[str]
    begun_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    milliseconds: Mapped[float | None]
    outcome: Mapped[str | None]
    status_code: Mapped[int | None] = mapped_column(Integer)
    code: Mapped[str | None]
    error: Mapped[str | None]
    request_headers: Mapped[dict[str, Any] | None]
    response_headers: Mapped[dict[str, Any] | None]
    response_body: Mapped[str | None]
    is_truncated: Mapped[bool | None]


class SubjectCount(Base):
    """The last number that an event of a subject got at an ordered endpoint."""

    __tablename__ = "outgoing_subjects"

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(primary_key=True)
    last_sequence: Mapped[int] = mapped_column(BigInteger)


def vault_context(webhook_id: UUID, part: str = "secret") -> str:
    """Return what a ciphertext is bound to: moved to another endpoint, it does not open."""
    return f"webhook:{webhook_id}:{part}"


audited(
    Webhook,
    "webhook",
    ("url", "description", "events", "resource_filters", "ordering", "concurrency", "state", "previous_until"),
    hidden=("secret", "custom_headers", "meta"),
)
for _column in ("secret", "previous_secret"):
    seals(Webhook, _column, lambda row: vault_context(row.id))
seals(Webhook, "custom_headers", lambda row: vault_context(row.id, "headers"))
