"""What follows from events for webhooks: a delivery at each endpoint that listens, written in the transaction in which
the event is dispatched.

The session comes first; nothing here commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.db import table_of
from app.kernel.events import EventRecord
from app.kernel.ids import new_id
from app.webhooks.bodies import write_body
from app.webhooks.catalogue import matches, passes
from app.webhooks.intents import SweepWebhooks
from app.webhooks.lines import let_next_go, lock_health, moment_now, wake
from app.webhooks.models import EVENT, LISTENING, PER_SUBJECT, Delivery, SubjectCount, Webhook

SWEEP_SECONDS: Final = 60

_COUNTS = table_of(SubjectCount)
_COUNT = insert(_COUNTS).values(last_sequence=bindparam("many"))
_COUNT_ON = _COUNT.on_conflict_do_update(
    index_elements=["webhook_id", "subject"],
    set_={"last_sequence": _COUNTS.c.last_sequence + _COUNT.excluded.last_sequence},
).returning(_COUNTS.c.last_sequence)
_INSERT = insert(table_of(Delivery)).on_conflict_do_nothing(index_elements=["webhook_id", "event_id"])

Listener = Row[Any]
Told = tuple[Listener, Sequence[EventRecord]]


def accept_deliveries(session: Session, records: Sequence[EventRecord]) -> None:
    """Write what is to be delivered of events, in the order of the log."""
    listeners = _find_listeners(session, records) if records else []
    told = [(listener, [record for record in records if _listens(listener, record)]) for listener in listeners]
    if told := [(listener, some) for listener, some in told if some]:
        deliver(session, told)
        sweep_soon(session)


def deliver(session: Session, told: Sequence[Told]) -> None:
    """Write deliveries of events to endpoints, whose rows are locked against deletion."""
    ids = sorted(listener.id for listener, _ in told)
    lock_health(session, ids)
    moment = moment_now(session)
    rows = [row for listener, some in told for row in _write(session, listener, some, moment)]
    session.execute(_INSERT, rows)
    let_next_go(session, sorted({(row["webhook_id"], row["subject"]) for row in rows if row["sequence"]}), moment)
    wake(session, ids, moment)


def sweep_soon(session: Session) -> None:
    """Have what is due delivered without waiting for the clock. The key is that of beat: one sweep begins a minute."""
    tick = int(moment_now(session).timestamp() // SWEEP_SECONDS)
    jobs.accept(session, SweepWebhooks(), key=f"schedule:{SweepWebhooks.kind}:{tick}")


def listening() -> Any:
    """Select what is needed of endpoints to tell them of events, locked against their deletion."""
    columns = (Webhook.id, Webhook.organization_id, Webhook.client_id, Webhook.events, Webhook.resource_filters)
    return (
        select(*columns, Webhook.ordering, Webhook.created_at)
        .order_by(Webhook.id)
        .with_for_update(read=True, key_share=True)
    )


def _find_listeners(session: Session, records: Sequence[EventRecord]) -> Sequence[Listener]:
    organizations = {record.organization_id for record in records if record.organization_id}
    clients = {record.client_id for record in records if record.client_id}
    whose = or_(Webhook.organization_id.in_(organizations), Webhook.client_id.in_(clients))
    found: Sequence[Listener] = session.execute(listening().where(whose, Webhook.state.in_(LISTENING))).all()
    return found


def _listens(listener: Listener, record: EventRecord) -> bool:
    owners = {listener.organization_id, listener.client_id} - {None}
    is_its_owners = bool(owners & {record.organization_id, record.client_id})
    is_new = record.created_at >= listener.created_at
    return is_its_owners and is_new and wants(listener, record)


def wants(listener: Listener, record: EventRecord) -> bool:
    """Tell whether an endpoint is to be told of an event of its owner."""
    return matches(listener.events, record.type) and passes(listener.resource_filters, record.data)


def _write(
    session: Session, listener: Listener, records: Sequence[EventRecord], moment: datetime
) -> list[dict[str, Any]]:
    is_ordered = listener.ordering == PER_SUBJECT
    numbers = number_events(session, listener.id, records) if is_ordered else [None] * len(records)
    return [
        {
            "id": new_id(),
            "webhook_id": listener.id,
            "kind": EVENT,
            "event_id": record.id,
            "event_type": record.type,
            "subject": record.subject,
            "sequence": number,
            "body": write_body(record.id, record.type, record.created_at, record.data, record.subject, number),
            "next_attempt_at": None if is_ordered else moment,
        }
        for record, number in zip(records, numbers, strict=True)
    ]


def number_events(session: Session, webhook_id: UUID, records: Sequence[EventRecord]) -> list[int]:
    """Return the next numbers of events among those of their subjects at an endpoint."""
    many: Counter[str] = Counter()
    nth = []
    for record in records:
        many[record.subject] += 1
        nth.append(many[record.subject])
    before = {subject: _count_on(session, webhook_id, subject, count) - count for subject, count in many.items()}
    return [before[record.subject] + number for record, number in zip(records, nth, strict=True)]


def _count_on(session: Session, webhook_id: UUID, subject: str, many: int) -> int:
    given = {"webhook_id": webhook_id, "subject": subject, "many": many}
    return int(session.execute(_COUNT_ON, given).scalar_one())
