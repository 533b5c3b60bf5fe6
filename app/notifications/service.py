"""What clients ask of notifications: send, cancel, retry. The session comes first; nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.clock import database_now
from app.kernel.db import table_of
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.ids import new_id
from app.kernel.principal import Principal
from app.notifications.addresses import fold
from app.notifications.attachments import enclose
from app.notifications.carrying import find_targets, is_carried
from app.notifications.errors import IllegalMove, NoProvider
from app.notifications.in_app import find_members, find_users
from app.notifications.intents import SendNotification
from app.notifications.models import (
    CANCELLED,
    EMAIL,
    ENDED,
    FAILED,
    JOB_PRIORITIES,
    PENDING,
    SCHEDULED,
    WAITING,
    Notification,
    Recipient,
    Template,
)
from app.notifications.providers import Owner, choices_of, is_of, owner_of
from app.notifications.sending import finish, give_up_lost
from app.notifications.templates import TemplateFault, find_variables, render

ROWS_AT_ONCE: Final = 1000
MOST_RECIPIENTS: Final = 10_000
LONGEST_SUBJECT: Final = 255
# In characters, of all copies of a notification together.
MOST_COPIED: Final = 16_000_000
CANCELLED_REASON: Final = "The notification was cancelled before this recipient's turn."


def send(
    session: Session, owner: Owner, fields: dict[str, Any], recipients: Sequence[str], created_by: UUID | None
) -> tuple[Notification, UUID]:
    """Write a notification with its recipients, each address once, and the one job that sends it; return both.

    Raises NoProvider, NotFound for a template, Invalid for one that cannot be filled.
    """
    attachments = fields.pop("attachments", ())
    notification = Notification(id=new_id(), created_by=created_by, **owner, **fields)
    if (notification.type == EMAIL or notification.email_fallback is not None) and not choices_of(session, owner):
        raise NoProvider
    _fill_once(session, notification)
    rows = _list_recipients(session, owner, notification, recipients)
    notification.recipient_count = len(rows)
    _refuse_flood(notification)
    delay = _delay(session, notification.scheduled_for)
    notification.status = SCHEDULED if delay > 0 else PENDING
    session.add(notification)
    session.flush()
    _write_recipients(session, rows)
    enclose(session, owner, notification.id, attachments)
    notification.job_id = jobs.accept(
        session,
        SendNotification(notification.id),
        organization_id=notification.organization_id,
        created_by=created_by,
        resource=("notification", notification.id),
        delay=delay,
        priority=JOB_PRIORITIES[notification.priority],
    )
    session.flush()
    session.refresh(notification)
    return notification, notification.job_id


def cancel(session: Session, notification: Notification, caller: Principal) -> Notification:
    """Keep a notification, whose row is locked, from all who have not got it yet. Raises IllegalMove."""
    job = jobs.lock(session, notification.job_id) if notification.job_id else None
    if job is None or job.is_final:
        raise IllegalMove(f"The notification is {notification.status}.", status=notification.status)
    jobs.cancel(session, job, caller.user_id)
    session.refresh(notification)
    return notification


def retry(session: Session, notification: Notification, caller: Principal) -> UUID:
    """Try those again whom a notification, whose row is locked, has not reached. Raises IllegalMove."""
    notification.retry()
    job = jobs.lock(session, notification.job_id) if notification.job_id else None
    if job is None:
        raise IllegalMove("The job of this notification is not kept any more.", status=notification.status)
    _begin_again(session, notification)
    jobs.queue_again(session, job, SendNotification.max_attempts, caller.user_id)
    return job.id


def delete(session: Session, notification: Notification) -> None:
    """Delete a notification, whose row is locked. Raises IllegalMove for one that is not at its end."""
    if notification.status not in ENDED:
        raise IllegalMove(f"The notification is {notification.status}: cancel it first.", status=notification.status)
    session.delete(notification)


def sending_retried(session: Session, job: jobs.Job) -> None:
    """Let a notification wait again whose job was queued again."""
    notification = session.get(Notification, job.resource_id, with_for_update=True)
    if notification is not None and notification.finished_at is not None:
        notification.retry()
        _begin_again(session, notification)


def sending_ended(session: Session, job: jobs.Job) -> None:
    """Let a notification end whose job has ended before it: cancelled, or failed for good."""
    notification = session.get(Notification, job.resource_id, with_for_update=True)
    if notification is None or notification.finished_at is not None:
        return
    is_cancelled = job.status == jobs.CANCELLED
    code, reason = (CANCELLED.upper(), CANCELLED_REASON) if is_cancelled else _error_of(job)
    give_up_lost(session, notification.id)
    session.execute(
        update(Recipient)
        .where(Recipient.notification_id == notification.id, Recipient.status.in_(WAITING))
        .values(status=CANCELLED if is_cancelled else FAILED, code=code, reason=reason)
        .execution_options(synchronize_session=False)
    )
    if is_cancelled:
        notification.cancel(session.execute(select(database_now())).scalar_one())
        session.flush()
        return
    notification.begin()
    finish(session, notification)


def _begin_again(session: Session, notification: Notification) -> None:
    session.flush()
    session.execute(
        update(Recipient)
        .where(Recipient.notification_id == notification.id, Recipient.status.in_((FAILED, CANCELLED)))
        .values(status=PENDING, tries=0, next_attempt_at=None, code=None, reason=None)
        .execution_options(synchronize_session=False)
    )


def _error_of(job: jobs.Job) -> tuple[str, str]:
    error = job.error or {}
    return str(error.get("code", "INTERNAL_ERROR")), str(error.get("message", "The job has failed."))


def _fill_once(session: Session, notification: Notification) -> None:
    """Fill the template now: what is wrong with it is told to who asks, and later changes of it change nothing."""
    if notification.template_id is not None:
        template = _load_template(session, notification)
        notification.subject = notification.subject or template.subject
        notification.html, notification.text = template.html, template.text
    parts = {"subject": notification.subject, "html": notification.html, "text": notification.text}
    filled = fill(parts, notification.variables) if notification.template_id is not None else parts
    notification.subject = check_subject(str(filled["subject"]), is_needed=notification.type == EMAIL)
    notification.html, notification.text = filled["html"], filled["text"]


def check_subject(subject: str, *, is_needed: bool) -> str:
    """Return a filled subject. Raises Invalid for one that would end its header and begin another."""
    if (is_needed and not subject) or not subject.isprintable() or len(subject) > LONGEST_SUBJECT:
        fault = f"Filled, it is to be one line of 1 to {LONGEST_SUBJECT} characters."
        raise Invalid(errors=[FieldError("subject", fault)])
    return subject


def fill(parts: Mapping[str, str | None], variables: Mapping[str, Any]) -> dict[str, str | None]:
    """Return subject, HTML and text filled with variables. Raises Invalid, which names each that is missing."""
    try:
        missing = [name for name in find_variables(*parts.values()) if name not in variables]
        if missing:
            raise Invalid(errors=[FieldError(f"variables.{name}", "is missing") for name in missing])
        return {
            name: None if source is None else render(source, variables, escapes=name == "html")
            for name, source in parts.items()
        }
    except TemplateFault as error:
        raise Invalid(errors=[FieldError("template_id", str(error))]) from error


def _load_template(session: Session, notification: Notification) -> Template:
    mine = select(Template).where(Template.id == notification.template_id, is_of(Template, owner_of(notification)))
    template = session.scalars(mine).one_or_none()
    if template is None:
        raise NotFound(resource_type="template", resource_id=str(notification.template_id))
    return template


def _refuse_flood(notification: Notification) -> None:
    """Raise Invalid for what is too long for so many, each of whom gets a copy that is kept; mails are kept once."""
    many = max(notification.recipient_count, 1)
    said = len(notification.html or "") + len(notification.text or "") + len(str(notification.meta))
    if notification.type != EMAIL and said * many > MOST_COPIED:
        fault = f"{many} are told at most {MOST_COPIED // many} characters each, `meta` among them."
        raise Invalid(errors=[FieldError("content", fault)])


def _delay(session: Session, scheduled_for: datetime | None) -> float:
    if scheduled_for is None:
        return 0.0
    now = session.execute(select(database_now())).scalar_one()
    return max(float((scheduled_for - now).total_seconds()), 0.0)


def _list_recipients(
    session: Session, owner: Owner, notification: Notification, asked: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of who is to be reached, each once. Raises Invalid, and NotFound for a room."""
    if notification.type == EMAIL:
        once: dict[str, dict[str, Any]] = {fold(one): {"address": one, "user_id": None} for one in asked}
    elif is_carried(notification.type):
        found = find_targets(session, notification.type, owner, [UUID(one) for one in asked])
        once = {str(one): {"address": str(one), "user_id": None} for one in found}
    else:
        once = {
            str(one): {"address": str(one), "user_id": one} for one in _find_users(session, owner, notification, asked)
        }
    return [{"id": new_id(), "notification_id": notification.id, **row} for row in once.values()]


def _find_users(session: Session, owner: Owner, notification: Notification, asked: Sequence[str]) -> Collection[UUID]:
    ids = [UUID(one) for one in asked]
    wanted = find_members(session, owner, notification.room_id) if notification.room_id else ids
    found = find_users(session, owner, wanted)
    if not 0 < len(found) <= MOST_RECIPIENTS:
        raise Invalid(errors=[FieldError("room_id", f"1 to {MOST_RECIPIENTS} users are told at once.")])
    return found


def _write_recipients(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    for first in range(0, len(rows), ROWS_AT_ONCE):
        session.execute(insert(table_of(Recipient)), rows[first : first + ROWS_AT_ONCE])
