"""The daily digest of an ordered endpoint: how many events there were of each subject, numbered from where to where,
and a hash of their ids. A receiver that has them all has the same, and by the signature it knows who says so.

The session comes first; nothing here commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID, uuid5

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.kernel.clock import format_time
from app.kernel.db import table_of
from app.kernel.ids import new_id
from app.webhooks.bodies import write_body
from app.webhooks.catalogue import DIGEST_TYPE
from app.webhooks.events import WebhookDigest
from app.webhooks.fanout import sweep_soon
from app.webhooks.lines import lock_health, moment_now, wake
from app.webhooks.models import DIGEST, LISTENING, PER_SUBJECT, Delivery, Webhook

# Of some two hundred bytes each: what is sent stays below the twenty kilobytes that the standard asks for.
SUBJECTS_OF_A_PAGE: Final = 80


def owed_digests(session: Session, day: date) -> list[UUID]:
    """Return the ordered endpoints that have not been told of a day."""
    some = select(Delivery.id).where(Delivery.webhook_id == Webhook.id, Delivery.sequence.is_not(None))
    some = some.where(Delivery.created_at >= _begin(day), Delivery.created_at < _begin(day + timedelta(days=1)))
    mine = Webhook.state.in_(LISTENING) & (Webhook.ordering == PER_SUBJECT)
    ids = session.scalars(select(Webhook.id).where(mine, some.exists()).order_by(Webhook.id)).all()
    firsts = {webhook_id: _event_id(webhook_id, day, 1) for webhook_id in ids}
    known = select(Delivery.event_id).where(Delivery.webhook_id.in_(ids), Delivery.event_id.in_(firsts.values()))
    told = set(session.scalars(known))
    return [webhook_id for webhook_id, first in firsts.items() if first not in told]


def write_digest(session: Session, webhook_id: UUID, day: date) -> int:
    """Write the digest of a day for an endpoint, in as many deliveries as it takes; returns how many these are."""
    lock_health(session, [webhook_id])
    moment = moment_now(session)
    subjects = list(_summarize(session, webhook_id, day))
    pages = [subjects[first : first + SUBJECTS_OF_A_PAGE] for first in range(0, len(subjects), SUBJECTS_OF_A_PAGE)]
    rows = [_row(webhook_id, day, number, len(pages), page, moment) for number, page in enumerate(pages, 1)]
    if rows:
        session.execute(insert(table_of(Delivery)).on_conflict_do_nothing(), rows)
        wake(session, [webhook_id], moment)
        sweep_soon(session)
    return len(rows)


def hash_ids(ids: Iterable[str]) -> str:
    """Return the SHA-256, in hexadecimal, of events' ids in the order of their numbers, joined by line breaks."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def _summarize(session: Session, webhook_id: UUID, day: date) -> Iterator[dict[str, Any]]:
    numbered = select(Delivery.subject, Delivery.sequence, Delivery.event_id).where(
        Delivery.webhook_id == webhook_id,
        Delivery.sequence.is_not(None),
        Delivery.created_at >= _begin(day),
        Delivery.created_at < _begin(day + timedelta(days=1)),
    )
    rows = session.execute(numbered.order_by(Delivery.subject, Delivery.sequence))
    for subject, some in groupby(rows, key=lambda row: row.subject):
        events = list(some)
        yield {
            "subject": subject,
            "first_sequence": events[0].sequence,
            "last_sequence": events[-1].sequence,
            "count": len(events),
            "sha256": hash_ids(str(event.event_id) for event in events),
        }


def _row(
    webhook_id: UUID, day: date, page: int, pages: int, subjects: list[dict[str, Any]], moment: datetime
) -> dict[str, Any]:
    event_id = _event_id(webhook_id, day, page)
    start, end = (format_time(_begin(one)) for one in (day, day + timedelta(days=1)))
    data = WebhookDigest(webhook_id, start, end, page, pages, subjects).to_json()
    return {
        "id": new_id(),
        "webhook_id": webhook_id,
        "kind": DIGEST,
        "event_id": event_id,
        "event_type": DIGEST_TYPE,
        "body": write_body(event_id, DIGEST_TYPE, moment, data),
        "next_attempt_at": moment,
    }


def _event_id(webhook_id: UUID, day: date, page: int) -> UUID:
    """Return the id by which a page of a digest is made once, however often it is asked for."""
    return uuid5(webhook_id, f"{day.isoformat()}:{page}")


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
