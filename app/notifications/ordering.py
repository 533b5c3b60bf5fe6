"""What is to hold of an order as a whole: whom it is to reach by which channel, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from marshmallow import Schema, ValidationError, fields

from app.notifications.addresses import find_address_fault
from app.notifications.fields import address, line
from app.notifications.models import EMAIL, WEBHOOK, WEBSOCKET

MISSING: Final = "Is missing."


class Fallback(Schema):
    """The mail to who is not connected; what is left out is the user's own address, and what the notification says."""

    enabled = fields.Boolean(load_default=True)
    to_email = address()
    subject = line(255)
    content = fields.String(validate=lambda text: 0 < len(text) <= 200_000)


def read_fallback(asked: Any) -> dict[str, Any] | None:
    """Return what an `email_fallback` asks for, None for none. Raises ValidationError."""
    if asked is None or isinstance(asked, bool):
        return {} if asked else None
    if not isinstance(asked, dict):
        raise ValidationError("Must be true, false or an object.", "email_fallback")
    try:
        read: dict[str, Any] = Fallback().load(asked)
    except ValidationError as error:
        raise ValidationError({"email_fallback": error.messages}) from error
    return read if read.pop("enabled") else None


def check_order(data: Mapping[str, Any]) -> None:
    """Raise ValidationError for an order that does not say whom it is to reach, or what."""
    _CHECKS[data["type"]](data)
    if "template_id" in data:
        if "content" in data or "text" in data:
            raise ValidationError("Goes without content and text.", "template_id")
    elif "content" not in data and "text" not in data:
        raise ValidationError("Is missing: give it, text or template_id.", "content")


def _check_mail(data: Mapping[str, Any]) -> None:
    for name in ("room_id", "email_fallback"):
        if name in data:
            raise ValidationError("Is for notifications by websocket.", name)
    if not data.get("recipients"):
        raise ValidationError("Is missing: give it, or recipients.", "to_email")
    _check_each(data["recipients"], find_address_fault)
    if len(data["recipients"]) > 1 and (data["cc"] or data["bcc"]):
        field = "cc" if data["cc"] else "bcc"
        raise ValidationError("Goes with one recipient: each of many would send them a copy.", field)
    if "subject" not in data and "template_id" not in data:
        raise ValidationError(MISSING, "subject")


def _check_in_app(data: Mapping[str, Any]) -> None:
    if bool(data.get("recipients")) is ("room_id" in data):
        raise ValidationError("Give recipients, the ids of users, or else a room_id.", "recipients")
    _check_each(data.get("recipients", ()), _find_id_fault)
    _refuse_copies(data)


def _check_hooks(data: Mapping[str, Any]) -> None:
    for name in ("room_id", "email_fallback"):
        if name in data:
            raise ValidationError("Is for notifications by websocket.", name)
    _check_each(data.get("recipients", ()), _find_id_fault)
    _refuse_copies(data)


def _refuse_copies(data: Mapping[str, Any]) -> None:
    for name in ("cc", "bcc", "attachments"):
        if data[name]:
            raise ValidationError("Is for mails.", name)


def _check_each(recipients: Any, find_fault: Any) -> None:
    faults = {nth: [f"This {fault}."] for nth, one in enumerate(recipients) if (fault := find_fault(one))}
    if faults:
        raise ValidationError({"recipients": dict(list(faults.items())[:100])})


def _find_id_fault(text: str) -> str | None:
    try:
        UUID(text)
    except ValueError:
        return "is no id"
    return None


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = {
    EMAIL: _check_mail,
    WEBSOCKET: _check_in_app,
    WEBHOOK: _check_hooks,
}
