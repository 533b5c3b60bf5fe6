"""Routes: whom the alerts of a group are told to, by mail, by a webhook or in a room, and what came of it.

The session comes first; nothing here commits. A route that cannot be taken keeps neither the others nor the alert from
being told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from app.kernel.db import set_apart
from app.kernel.errors import FieldError, Forbidden, HeadraceError, Invalid
from app.kernel.principal import Principal
from app.messaging import listens_to, tell_room
from app.monitoring.alerting import story
from app.monitoring.models import Alert
from app.notifications import EMAIL, WEBHOOK, find_address_fault, find_targets, send_notification

ROOM: Final = "room"
ROUTE_KINDS: Final = (ROOM, EMAIL, WEBHOOK)
HANDED_OVER: Final = "handed_over"
REFUSED: Final = "refused"

_PRIORITIES: Final = {"critical": "urgent", "warning": "high", "info": "normal"}
_WRITE: Final = "notifications:write"
_SENDER: Final = "Alerts"
_LONGEST_TITLE: Final = 200
_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class Telling:
    """An alert that is told of: that it fires, or that it is over."""

    alert: Alert
    is_over: bool


@dataclass(frozen=True, slots=True)
class _Letter:
    """What is told of some alerts of a group together."""

    organization_id: UUID
    subject: str
    text: str
    priority: str
    data: dict[str, Any]


def check_routes(
    session: Session, organization_id: UUID, routes: Sequence[Mapping[str, str]], caller: Principal
) -> None:
    """Raise Invalid, which names each route that leads nowhere, and Forbidden for who may not send for the
    organization."""
    if any(one["kind"] != ROOM for one in routes) and not caller.may(_WRITE, organization_id):
        raise Forbidden(required_permission=_WRITE)
    faults = [
        FieldError(f"routes.{nth}.to", fault)
        for nth, one in enumerate(routes)
        if (fault := _CHECKS[one["kind"]](session, organization_id, one["to"]))
    ]
    if faults:
        raise Invalid(errors=faults)


def _check_email(_session: Session, _organization_id: UUID, to: str) -> str | None:
    fault = find_address_fault(to)
    return f"This {fault}." if fault else None


def _check_webhook(session: Session, organization_id: UUID, to: str) -> str | None:
    webhook_id = _id_of(to)
    try:
        found = webhook_id and find_targets(session, WEBHOOK, {"organization_id": organization_id}, [webhook_id])
    except Invalid:
        found = None
    return None if found else "Is no webhook of the organization, or is turned off."


def _check_room(session: Session, organization_id: UUID, to: str) -> str | None:
    room_id = _id_of(to)
    listens = room_id is not None and listens_to(session, room_id, organization_id)
    return None if listens else "Is no room that listens to the organization: its `alerts_from` is to name it."


def _id_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def tell(session: Session, organization_id: UUID, routes: Sequence[Mapping[str, Any]], told: Sequence[Telling]) -> None:
    """Send one message about some alerts of a group by each route, and note in their stories what came of it. A route
    that is written twice is one."""
    if not told:
        return
    letter = _write(organization_id, told)
    once = {(route["kind"], route["to"].lower()): route for route in routes}
    for route in once.values():
        outcome = _send(session, route, letter)
        story.record_attempts(session, [one.alert.id for one in told], route, **outcome)


def _send(session: Session, route: Mapping[str, Any], letter: _Letter) -> dict[str, Any]:
    try:
        with set_apart(session):
            return {"outcome": HANDED_OVER, **_WAYS[route["kind"]](session, letter, route["to"])}
    except HeadraceError as error:
        return {"outcome": REFUSED, "code": error.code, "reason": error.message}
    except ValueError:
        return {"outcome": REFUSED, "code": Invalid.code, "reason": "What the route leads to has no id."}


def _send_by_email(session: Session, letter: _Letter, to: str) -> dict[str, Any]:
    return _notify(session, letter, EMAIL, to)


def _send_by_webhook(session: Session, letter: _Letter, to: str) -> dict[str, Any]:
    return _notify(session, letter, WEBHOOK, str(UUID(to)))


def _notify(session: Session, letter: _Letter, channel: str, to: str) -> dict[str, Any]:
    owner = {"organization_id": letter.organization_id}
    said = {"type": channel, "subject": letter.subject, "text": letter.text, "meta": letter.data}
    notification, _ = send_notification(session, owner, {**said, "priority": letter.priority}, [to], None)
    return {"notification_id": str(notification.id)}


def _tell_in_room(session: Session, letter: _Letter, to: str) -> dict[str, Any]:
    event = {"event": letter.data["event"], "data": letter.data}
    message_id = tell_room(session, letter.organization_id, UUID(to), _SENDER, letter.text, event)
    return {"message_id": str(message_id)}


_Way = Callable[[Session, _Letter, str], dict[str, Any]]
_WAYS: Final[Mapping[str, _Way]] = {EMAIL: _send_by_email, WEBHOOK: _send_by_webhook, ROOM: _tell_in_room}
_CHECKS: Final = {EMAIL: _check_email, WEBHOOK: _check_webhook, ROOM: _check_room}


def _write(organization_id: UUID, told: Sequence[Telling]) -> _Letter:
    """Return what is said of some alerts: one line each, what fires first, the worst of it first of all."""
    ordered = sorted(told, key=lambda one: (one.is_over, list(_PRIORITIES).index(one.alert.severity), one.alert.id))
    firing = sum(not one.is_over for one in told)
    state = f"FIRING {firing}" if firing else f"RESOLVED {len(told)}"
    worst = ordered[0].alert
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    lines = [_line_of(one) for one in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"… and {len(ordered) - _SHOWN} more")
    event = "alert.triggered" if firing else "alert.resolved"
    data = {"event": event, "alert_ids": [str(one.alert.id) for one in ordered[:_SHOWN]]}
    priority = _PRIORITIES[worst.severity] if firing else "normal"
    return _Letter(organization_id, f"[{state}] {_title_of(worst)}{more}", "\n\n".join(lines), priority, data)


def _line_of(one: Telling) -> str:
    alert = one.alert
    state = "resolved" if one.is_over else f"firing, {alert.severity}"
    labels = ", ".join(f"{name}={_one_line(str(value))}" for name, value in sorted(alert.labels.items())[:20])
    parts = (f"{_title_of(alert)} ({state})", alert.description[:2000], labels)
    value = f"value {alert.value:g}" if alert.value is not None else ""
    return "\n".join(part for part in (*parts, value) if part)


def _title_of(alert: Alert) -> str:
    return _one_line(alert.title or alert.name)


def _one_line(text: str) -> str:
    """Labels are what tenants and their clusters say: nothing of them ends a header or a line."""
    return "".join(one if one.isprintable() else " " for one in text[:_LONGEST_TITLE])
