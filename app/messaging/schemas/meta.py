"""What goes with a message of each type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema

from app.http import Schema
from app.messaging.models import CUSTOM, SYSTEM, TEXT
from app.messaging.schemas.fields import small

_SIZE = validate.Range(0, 2**53)
KNOWN: Final = frozenset({"url", "name", "size", "mime"})
"""What is not asked of an attachment."""

_PIXELS = validate.Range(1, 100_000)
MEDIA_TYPE = validate.Regexp(
    r"^[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}\Z", error="Must be a media type."
)


def _web_address(text: str) -> None:
    if not text.startswith(("https://", "http://")) or not text.isprintable() or " " in text:
        raise ValidationError("Must be an address that begins with https:// or http://.")


def _url(**kwargs: Any) -> fields.String:
    return fields.String(validate=[validate.Length(1, 2048), _web_address], **kwargs)


class _Attachment(Schema):
    """A file: at an address elsewhere, or one that was brought to the room, of which the platform knows the rest."""

    needed: ClassVar[tuple[str, ...]] = ("url",)

    attachment_id = fields.UUID()
    url = _url()
    name = fields.String(validate=validate.Length(1, 255))
    size = fields.Integer(validate=_SIZE)
    mime = fields.String(validate=MEDIA_TYPE)

    @pre_load
    def leave_what_is_known(self, given: Any, **_: Any) -> Any:
        """Pass over what the platform knows itself, so that a message may be sent back as it was read."""
        if "attachment_id" not in given:
            return given
        return {name: value for name, value in given.items() if name not in KNOWN}

    @validates_schema
    def refuse_nothing(self, given: Mapping[str, Any], **_: Any) -> None:
        """Refuse a file that is nowhere."""
        missing = [name for name in self.needed if name not in given]
        if missing and "attachment_id" not in given:
            raise ValidationError({name: ["Missing data for required field."] for name in missing})


class _Image(_Attachment):
    """An image."""

    width = fields.Integer(validate=_PIXELS)
    height = fields.Integer(validate=_PIXELS)
    alt = fields.String(validate=validate.Length(max=1000))


class _Video(_Image):
    """A film."""

    duration = fields.Float(validate=validate.Range(0, 10**6))


class _Audio(_Attachment):
    """A recording."""

    duration = fields.Float(validate=validate.Range(0, 10**6))


class _File(_Attachment):
    """A file."""

    needed = ("url", "name")


class _System(Schema):
    """What has happened, for a system message."""

    event = fields.String(required=True, validate=validate.Length(1, 100))
    data = fields.Dict(keys=fields.String(), load_default=dict)


_OF_TYPE: Final[Mapping[str, Schema]] = {
    "image": _Image(),
    "file": _File(),
    "document": _File(),
    "video": _Video(),
    "audio": _Audio(),
    SYSTEM: _System(),
}
FREE: Final = (TEXT, CUSTOM)


def read_meta(message_type: str, given: Any) -> dict[str, Any]:
    """Return what goes with a message of a type; raises ValidationError, with faults by field."""
    if not isinstance(given, dict):
        raise ValidationError("Must be an object.")
    small(given)
    if message_type in FREE:
        return given
    loaded: dict[str, Any] = _OF_TYPE[message_type].load(given)
    return loaded
