"""What clients ask of webhooks: make, change, turn on and off, rotate secrets, try, send again. The session comes
first; nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from app import jobs
from app.kernel.clock import database_now, format_time, utc_now
from app.kernel.crypto import Vault
from app.kernel.errors import FieldError, Invalid
from app.kernel.ids import new_id
from app.kernel.intents import Intent
from app.kernel.principal import Principal
from app.webhooks.bodies import write_body
from app.webhooks.catalogue import example_data, find_type
from app.webhooks.errors import IllegalMove, TooManyWebhooks
from app.webhooks.fanout import sweep_soon
from app.webhooks.intents import ReplayEvents, SendDelivery
from app.webhooks.lines import is_first, let_all_go, lock_health, moment_now
from app.webhooks.models import ACTIVE, DELIVERING, TEST, Delivery, Webhook, WebhookHealth, vault_context
from app.webhooks.signing import make_secret

OVERLAP: Final = timedelta(hours=24)
MOST_WEBHOOKS: Final = 1000


def make_webhook(
    session: Session, vault: Vault, owner: Mapping[str, UUID], fields: dict[str, Any], caller: Principal
) -> tuple[Webhook, str]:
    """Write an endpoint of `owner`, which is an `organization_id` or a `client_id`; return it with its secret, which is
    told this once. Raises TooManyWebhooks."""
    _refuse_too_many(session, owner)
    secret = fields.pop("secret", None) or make_secret()
    headers = fields.pop("custom_headers", {})
    is_active = fields.pop("is_active", True)
    webhook = Webhook(id=new_id(), created_by=caller.user_id, **owner, **fields)
    webhook.secret = vault.encrypt(secret.encode(), vault_context(webhook.id))
    webhook.custom_headers = seal_headers(vault, webhook.id, headers)
    session.add(webhook)
    if not is_active:
        webhook.state = ACTIVE
        webhook.deactivate()
    session.flush()
    session.add(WebhookHealth(webhook_id=webhook.id))
    session.flush()
    return webhook, secret


def change_webhook(session: Session, vault: Vault, webhook: Webhook, fields: dict[str, Any]) -> Webhook:
    """Write the given fields of an endpoint whose row is locked. Another `secret` counts at once; see rotate_secret."""
    is_active = fields.pop("is_active", None)
    if "custom_headers" in fields:
        webhook.custom_headers = seal_headers(vault, webhook.id, fields.pop("custom_headers"))
    if secret := fields.pop("secret", None):
        webhook.secret = vault.encrypt(secret.encode(), vault_context(webhook.id))
        webhook.previous_secret = webhook.previous_until = None
    if fields.get("ordering", webhook.ordering) != webhook.ordering:
        _refuse_reordering(session, webhook)
    for name, value in fields.items():
        setattr(webhook, name, value)
    if is_active is not None and is_active is not webhook.is_active:
        (activate if is_active else deactivate)(session, webhook)
    session.flush()
    session.refresh(webhook)
    return webhook


def activate(session: Session, webhook: Webhook) -> Webhook:
    """Let an endpoint be told of events from now on; what waited for it is due. Raises IllegalMove when it is."""
    webhook.activate()
    health = lock_health(session, [webhook.id])[webhook.id]
    moment = moment_now(session)
    health.failures, health.failing_since, health.due_at = 0, None, moment
    session.flush()
    let_all_go(session, webhook.id, moment)
    sweep_soon(session)
    session.refresh(webhook)
    return webhook


def deactivate(session: Session, webhook: Webhook) -> Webhook:
    """Tell an endpoint of nothing any more; what waits for it goes on waiting. Raises IllegalMove when it is off."""
    webhook.deactivate()
    session.flush()
    session.refresh(webhook)
    return webhook


def rotate_secret(
    session: Session, vault: Vault, webhook: Webhook, *, secret: str | None = None, immediately: bool = False
) -> tuple[Webhook, str]:
    """Give an endpoint another secret, made unless given; for a day both sign, unless `immediately`."""
    session.refresh(webhook, ["secret"])
    fresh = secret or make_secret()
    webhook.previous_secret = None if immediately else webhook.secret
    webhook.previous_until = None if immediately else database_now() + OVERLAP
    webhook.secret = vault.encrypt(fresh.encode(), vault_context(webhook.id))
    session.flush()
    session.refresh(webhook)
    return webhook, fresh


def send_test(
    session: Session, webhook: Webhook, event_type: str, test_data: Mapping[str, Any], caller: Principal
) -> tuple[Delivery, UUID]:
    """Write a delivery of an event that never was, with the form of a real one, and the job that tries it once.

    Raises Invalid for a type that does not exist, and for data that such an event does not have.
    """
    data = example_data(event_type)
    if data is None:
        raise Invalid(errors=[FieldError("event", "is no type of event: see GET /event-types")])
    _refuse_foreign_data(event_type, data, test_data)
    event_id = new_id()
    body = write_body(event_id, event_type, utc_now(), {**data, **test_data})
    delivery = Delivery(webhook_id=webhook.id, kind=TEST, event_id=event_id, event_type=event_type, body=body)
    session.add(delivery)
    session.flush()
    session.refresh(delivery)
    return delivery, _accept(session, webhook, SendDelivery(delivery.id), caller)


def send_again(session: Session, webhook: Webhook, delivery: Delivery, caller: Principal) -> UUID:
    """Accept the job that tries a delivery now, whether it has ended or not; what then fails begins its tries anew.

    Raises IllegalMove while it is on its way, or waits behind another event of its subject.
    """
    lock_health(session, [webhook.id])
    session.refresh(delivery, with_for_update=True)
    if delivery.status == DELIVERING:
        raise IllegalMove("This delivery is on its way now.", status=delivery.status)
    if delivery.finished_at is None and delivery.sequence is not None and not is_first(session, delivery):
        raise IllegalMove("This delivery waits behind an earlier event of its subject.", status=delivery.status)
    return _accept(session, webhook, SendDelivery(delivery.id), caller)


def replay(
    session: Session, webhook: Webhook, caller: Principal, *, since: datetime, until: datetime, only_missing: bool
) -> UUID:
    """Accept the job that delivers the events of a time again. Raises Invalid for a time that ends before it begins."""
    if until <= since:
        raise Invalid(errors=[FieldError("until", "must be after since")])
    intent = ReplayEvents(webhook.id, format_time(since), format_time(until), only_missing)
    return _accept(session, webhook, intent, caller)


def seal_headers(vault: Vault, webhook_id: UUID, headers: Mapping[str, str]) -> bytes | None:
    """Return the endpoint's own headers, encrypted."""
    return vault.encrypt(orjson.dumps(headers), vault_context(webhook_id, "headers")) if headers else None


def reveal_headers(session: Session, vault: Vault, webhook_id: UUID) -> dict[str, str]:
    """Return the headers that an endpoint's owner has added."""
    mine = select(Webhook.custom_headers).where(Webhook.id == webhook_id)
    sealed = session.execute(mine).scalar_one()
    read: dict[str, str] = orjson.loads(vault.decrypt(sealed, vault_context(webhook_id, "headers"))) if sealed else {}
    return read


def load_delivery(session: Session, webhook: Webhook, delivery_id: UUID) -> Delivery | None:
    """Return a delivery of an endpoint, with its attempts to be read by `attempts_of`."""
    mine = select(Delivery).where(Delivery.webhook_id == webhook.id, Delivery.id == delivery_id)
    return session.scalars(mine.options(undefer(Delivery.body))).one_or_none()


def _accept(session: Session, webhook: Webhook, intent: Intent, caller: Principal) -> UUID:
    return jobs.accept(
        session,
        intent,
        organization_id=webhook.organization_id,
        created_by=caller.user_id,
        resource=("webhook", webhook.id),
    )


def _refuse_too_many(session: Session, owner: Mapping[str, UUID]) -> None:
    theirs = (getattr(Webhook, name) == value for name, value in owner.items())
    count = session.scalar(select(func.count(Webhook.id)).where(*theirs)) or 0
    if count >= MOST_WEBHOOKS:
        raise TooManyWebhooks(limit=MOST_WEBHOOKS)


def _refuse_reordering(session: Session, webhook: Webhook) -> None:
    """What waits has numbers, or has none: one that changed in between would be neither."""
    lock_health(session, [webhook.id])
    waits = select(Delivery.id).where(Delivery.webhook_id == webhook.id, Delivery.finished_at.is_(None))
    if session.execute(waits.limit(1)).first() is not None:
        raise IllegalMove("There are events waiting for this webhook; its order can change once there are none.")


def _refuse_foreign_data(event_type: str, data: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    known = find_type(event_type)
    faults = [
        FieldError(f"test_data.{name}", "is not in the schema of this event")
        if name not in data
        else FieldError(f"test_data.{name}", "has another type in the schema of this event")
        for name, value in given.items()
        if name not in data or not _is_like(value, data[name])
    ]
    if faults or known is None:
        raise Invalid(errors=faults)


def _is_like(value: Any, example: Any) -> bool:
    return example is None or isinstance(value, type(example))
