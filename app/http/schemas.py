"""The wire forms all rooms share: strict schemas, moments, and the shapes that surround what a route returns."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import marshmallow as ma
from marshmallow import fields

from app.kernel.clock import format_time

LAST_SECOND = 7_258_118_400.0

_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?")


class Timestamp(fields.AwareDateTime):
    """A moment: RFC 3339, written in UTC with milliseconds and `Z`. Read without an offset it is UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", default_timezone=UTC, **kwargs)

    def _serialize(self, value: datetime | None, *_: Any, **__: Any) -> str | None:
        return None if value is None else format_time(value)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime:
        moment: datetime = super()._deserialize(value, *args, **kwargs)
        try:
            # What the database takes beyond these years can never be read again.
            return moment.astimezone(UTC)
        except OverflowError:
            raise ma.ValidationError("Must lie in the years 1 to 9999.") from None


class Moment(fields.Raw):
    """A moment as seconds since the epoch, read from a number of them or from RFC 3339; without an offset it is UTC."""

    def __init__(self, **kwargs: Any) -> None:
        described = {"oneOf": [{"type": "number"}, {"type": "string"}], "example": 1767225600.0}
        super().__init__(metadata=described | kwargs.pop("metadata", {}), **kwargs)

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ma.ValidationError("Must be seconds since the epoch, or RFC 3339.")
        try:
            seconds = float(value) if not isinstance(value, str) or _NUMBER.fullmatch(value) else _read_time(value)
        except (ValueError, OverflowError):
            raise ma.ValidationError("Must be seconds since the epoch, or RFC 3339.") from None
        if not 0 <= seconds <= LAST_SECOND:
            raise ma.ValidationError("Must lie from 1970 to 2200.")
        return seconds


def _read_time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


class DayOrMoment(fields.String):
    """A bound of a span: a moment, or a date, which at the end of the span (`is_end`) is meant whole."""

    def __init__(self, *, is_end: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._is_end = is_end

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = str(super()._deserialize(value, *args, **kwargs))
        try:
            if len(text) == len("2026-01-31"):
                day = datetime.combine(date.fromisoformat(text), time(), UTC)
                return day + timedelta(days=1) if self._is_end else day
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError) as error:
            raise ma.ValidationError("Is neither a date nor a moment.") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Schema(ma.Schema):
    """The base of all wire forms: unknown fields are refused, and a number or a truth is never read from a string."""

    class Meta:
        unknown = ma.RAISE

    def on_bind_field(self, _field_name: str, field_obj: fields.Field[Any]) -> None:
        """Make numbers and truths strict: `"5"`, `5.7` and `"yes"` are mistakes of the caller."""
        if isinstance(field_obj, fields.Integer):
            field_obj.strict = True
        elif isinstance(field_obj, fields.Boolean):
            field_obj.truthy, field_obj.falsy = {True}, {False}


class Meta(Schema):
    """What every reply says of itself."""

    request_id = fields.String(required=True, metadata={"description": "Also in the header X-Request-ID"})
    timestamp = Timestamp(required=True)
    version = fields.String(required=True, metadata={"description": "Version of the server"})


class Pagination(Schema):
    """Where a page lies in its list. With a cursor there is no page number and no total."""

    page = fields.Integer(required=True, allow_none=True)
    limit = fields.Integer(required=True)
    total = fields.Integer(required=True, allow_none=True)
    total_capped = fields.Boolean(required=True, metadata={"description": "Whether there are more than `total`"})
    pages = fields.Integer(required=True, allow_none=True)
    has_next = fields.Boolean(required=True)
    has_prev = fields.Boolean(required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class ListMeta(Meta):
    """What a list says of itself."""

    pagination = fields.Nested(Pagination, required=True)


class FieldFault(Schema):
    """One fault of one field."""

    field = fields.String(required=True, metadata={"description": "Dotted path", "example": "stages.0.name"})
    message = fields.String(required=True)


class Error(Schema):
    """Why a request was refused."""

    code = fields.String(required=True, metadata={"example": "VALIDATION_ERROR"})
    message = fields.String(required=True)
    details = fields.Dict(keys=fields.String(), required=True)
    errors = fields.List(fields.Nested(FieldFault))


class ErrorReply(Schema):
    """The one shape of every refusal."""

    error = fields.Nested(Error, required=True)
    meta = fields.Nested(Meta, required=True)


class Problem(Schema):
    """The same facts as RFC 9457, for clients that accept `application/problem+json`."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    instance = fields.String(required=True)
    code = fields.String(required=True)
    details = fields.Dict(keys=fields.String(), required=True)
    errors = fields.List(fields.Nested(FieldFault))
    request_id = fields.String(required=True)
