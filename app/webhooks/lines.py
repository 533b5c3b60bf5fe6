"""What waits for an endpoint, and when somebody should look: whoever changes that holds the endpoint's health locked.

An endpoint's row is locked before its health, everywhere. The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.kernel.clock import database_now
from app.webhooks.models import ACTIVE, DELIVERING, Delivery, Webhook, WebhookHealth


def lock_health(session: Session, webhook_ids: Collection[UUID]) -> Mapping[UUID, WebhookHealth]:
    """Lock how endpoints fare, and return it as it is then."""
    mine = select(WebhookHealth).where(WebhookHealth.webhook_id.in_(webhook_ids)).order_by(WebhookHealth.webhook_id)
    rows = session.scalars(mine.with_for_update().execution_options(populate_existing=True))
    return {row.webhook_id: row for row in rows}


def moment_now(session: Session) -> datetime:
    """Return the database's time: as a value, so that an index can be asked for what is before it."""
    moment: datetime = session.execute(select(database_now())).scalar_one()
    return moment


def let_next_go(session: Session, subjects: Collection[tuple[UUID, str]], moment: datetime) -> None:
    """Make the first due that waits of each of some subjects, given by endpoint and name."""
    for webhook_id, subject in subjects:
        waits = (Delivery.webhook_id == webhook_id) & (Delivery.subject == subject) & Delivery.sequence.is_not(None)
        first = select(Delivery.id).where(waits, Delivery.finished_at.is_(None)).order_by(Delivery.sequence).limit(1)
        session.execute(
            update(Delivery)
            .where(Delivery.id == first.scalar_subquery(), Delivery.next_attempt_at.is_(None))
            .values(next_attempt_at=moment)
            .execution_options(synchronize_session=False)
        )


def let_all_go(session: Session, webhook_id: UUID, moment: datetime) -> None:
    """Make everything due that waits for its time: the endpoint takes deliveries again."""
    waits = (Delivery.webhook_id == webhook_id) & (Delivery.next_attempt_at > moment) & (Delivery.status != DELIVERING)
    session.execute(
        update(Delivery).where(waits).values(next_attempt_at=moment).execution_options(synchronize_session=False)
    )


def is_first(session: Session, delivery: Delivery) -> bool:
    """Tell whether nothing that has not ended is before a delivery of an ordered subject."""
    before = select(Delivery.id).where(
        Delivery.webhook_id == delivery.webhook_id,
        Delivery.subject == delivery.subject,
        Delivery.sequence < delivery.sequence,
        Delivery.finished_at.is_(None),
    )
    return session.execute(before.limit(1)).first() is None


def wake(session: Session, webhook_ids: Collection[UUID], moment: datetime) -> None:
    """Have somebody look at endpoints; those that are suspended keep their pace."""
    is_active = select(Webhook.id).where(Webhook.id == WebhookHealth.webhook_id, Webhook.state == ACTIVE).exists()
    sooner = func.least(func.coalesce(WebhookHealth.due_at, moment), moment)
    for condition, due_at in ((is_active, sooner), (~is_active, func.coalesce(WebhookHealth.due_at, moment))):
        session.execute(
            update(WebhookHealth)
            .where(WebhookHealth.webhook_id.in_(webhook_ids), condition)
            .values(due_at=due_at)
            .execution_options(synchronize_session=False)
        )


def look_again(session: Session, paces: Mapping[UUID, float], moment: datetime) -> None:
    """Say when each endpoint should be looked at next: when the first of its deliveries is due, and not sooner than so
    many seconds from now."""
    for pace in sorted(set(paces.values())):
        ids = [webhook_id for webhook_id, one in paces.items() if one == pace]
        first = select(func.min(Delivery.next_attempt_at)).where(
            Delivery.webhook_id == WebhookHealth.webhook_id, Delivery.next_attempt_at.is_not(None)
        )
        due_at = first.correlate(WebhookHealth).scalar_subquery()
        session.execute(
            update(WebhookHealth)
            .where(WebhookHealth.webhook_id.in_(ids))
            .values(due_at=func.greatest(due_at, moment + timedelta(seconds=pace)) if pace else due_at)
            .execution_options(synchronize_session=False)
        )
