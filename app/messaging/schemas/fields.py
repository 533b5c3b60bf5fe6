"""Fields that several forms share."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import orjson
from marshmallow import ValidationError, fields, validate

MOST_META_BYTES: Final = 16 * 1024


class Moment(fields.Field[Any]):
    """A date or a moment of a query, as the moment from which, or before which, something is meant; an end that is a
    date is meant whole."""

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs, metadata={"description": "A date or a moment", "type": "string"})
        self._is_end = is_end

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> datetime:
        try:
            return self._read(value)
        except (ValueError, TypeError, OverflowError):
            raise ValidationError("Must be a date such as 2026-01-31, or a moment.") from None

    def _read(self, text: str) -> datetime:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text) + timedelta(days=1 if self._is_end else 0)
            return datetime.combine(day, time(), UTC)
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return moment + timedelta(microseconds=1 if self._is_end else 0)


def printable(text: str) -> None:
    """Refuse control characters, but for those between lines."""
    if not "".join(text.splitlines()).replace("\t", " ").isprintable():
        raise ValidationError("Must not contain control characters.")


def small(value: Any) -> None:
    """Refuse what is too much for a note beside something."""
    if len(orjson.dumps(value)) > MOST_META_BYTES:
        raise ValidationError(f"Must not be larger than {MOST_META_BYTES} bytes as JSON.")


def name_field(**kwargs: Any) -> fields.String:
    """Return the field of a name for people."""
    return fields.String(validate=[validate.Length(1, 100), one_line], metadata={"example": "General"}, **kwargs)


def description_field(**kwargs: Any) -> fields.String:
    """Return the field of a description."""
    return fields.String(allow_none=True, validate=[validate.Length(max=1000), printable], **kwargs)


def meta_field(**kwargs: Any) -> fields.Dict:
    """Return the field of what an application wants to find again."""
    return fields.Dict(
        keys=fields.String(validate=validate.Length(1, 64)),
        validate=[validate.Length(max=50), small],
        metadata={"description": "What the application wants to find again", "example": {}},
        **kwargs,
    )


def one_line(text: str) -> None:
    """Refuse what is no line of a text."""
    if not text.isprintable() or not text.strip():
        raise ValidationError("Must be one line of printable characters, and not only spaces.")
