"""Wire forms of messages."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, validate

from app.http import Schema, Timestamp
from app.messaging.models import MESSAGE_TYPES, TEXT
from app.messaging.schemas.fields import Moment
from app.messaging.schemas.meta import read_meta

LONGEST_CONTENT: Final = 10_000
_TYPE = validate.OneOf(MESSAGE_TYPES)
_SEQ = validate.Range(0, 10**18 - 1)


def _said(text: str) -> None:
    if not text.strip():
        raise ValidationError("Must say something.")


def _content(**kwargs: Any) -> fields.String:
    said = {"description": "As it is meant to be shown; whoever shows it escapes it", "example": "Hello"}
    return fields.String(validate=[validate.Length(1, LONGEST_CONTENT), _said], metadata=said, **kwargs)


class MessageCreation(Schema):
    """A message to be sent."""

    room_id = fields.UUID(required=True)
    content = _content(required=True)
    message_type = fields.String(validate=_TYPE, load_default=TEXT)
    meta = fields.Raw(
        load_default=dict,
        metadata={
            "description": "What goes with it: for an image `url width height alt`, for a file `url name size mime`",
            "example": {},
        },
    )
    reply_to_id = fields.UUID(allow_none=True)
    mentions = fields.List(
        fields.UUID(),
        validate=validate.Length(max=50),
        metadata={"description": "Members it names, beside those it names by `@username`", "example": []},
    )
    client_message_id = fields.String(
        validate=validate.Regexp(r"^[!-~]{1,128}\Z", error="Must be 1 to 128 ASCII characters without spaces."),
        metadata={"description": "Sent again with the same one it is the same message", "example": "01J-1"},
    )
    sender_id = fields.UUID(
        metadata={"description": "For the application alone: the member it sends for; without one it sends itself"}
    )

    @post_load
    def read_typed_meta(self, given: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Read what goes with a message of its type."""
        given["meta"] = _read(given["message_type"], given["meta"])
        return given


class MessageReplacement(Schema):
    """What a message says from now on."""

    content = _content(required=True)
    meta = fields.Raw(metadata={"description": "As for a new message of its type; without it it stays", "example": {}})


class MessageChange(MessageReplacement):
    """What is changed of a message; fields that are left out stay."""

    content = _content()


class Message(Schema):
    """A message. What a deleted one said is not told."""

    id = fields.UUID(required=True)
    room_id = fields.UUID(required=True)
    seq = fields.Integer(required=True, metadata={"description": "Its number in the room: 1, 2, 3, without a gap"})
    place = fields.Integer(
        required=True, metadata={"description": "The number of the room's event that told of it last"}
    )
    sender_id = fields.UUID(required=True, allow_none=True, metadata={"description": "Null is the application itself"})
    sender_name = fields.String(required=True)
    message_type = fields.String(required=True, validate=_TYPE)
    content = fields.String(required=True, allow_none=True, attribute="told_content")
    meta = fields.Dict(keys=fields.String(), required=True, attribute="told_meta")
    reply_to_id = fields.UUID(required=True, allow_none=True)
    thread_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The message that began it"})
    mentions = fields.List(fields.UUID(), required=True, attribute="told_mentions")
    client_message_id = fields.String(required=True, allow_none=True)
    is_edited = fields.Boolean(required=True)
    is_deleted = fields.Boolean(required=True)
    created_at = Timestamp(required=True)
    edited_at = Timestamp(required=True, allow_none=True)
    deleted_at = Timestamp(required=True, allow_none=True)


class _Times(Schema):
    start_date = Moment()
    end_date = Moment(is_end=True)


class MessageFilters(_Times):
    """Which messages; with `after_seq` the oldest come first unless `sort` says otherwise."""

    room_id = fields.UUID(required=True)
    after_seq = fields.Integer(validate=_SEQ, metadata={"description": "Those after this one: the place to resume"})
    before_seq = fields.Integer(validate=_SEQ)
    message_type = fields.String(validate=_TYPE)
    sender_id = fields.UUID()
    mentions = fields.UUID(metadata={"description": "Those that name this user"})
    include_deleted = fields.Boolean(metadata={"description": "`false` leaves deleted ones out"})


class MessageSearch(_Times):
    """What is searched for, in the rooms the caller is in."""

    q = fields.String(
        required=True,
        validate=validate.Length(1, 200),
        metadata={"description": 'Words, "phrases", `or`, `-without`', "example": "invoice"},
    )
    room_ids = fields.List(fields.UUID(), validate=validate.Length(1, 100))
    sender_ids = fields.List(fields.UUID(), validate=validate.Length(1, 100))
    message_types = fields.List(fields.String(validate=_TYPE), validate=validate.Length(1, len(MESSAGE_TYPES)))
    has_mentions = fields.Boolean()
    has_attachments = fields.Boolean()


def read_change(message_type: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return a change of a message with its `meta` read by the message's type; raises ValidationError."""
    if "meta" in given:
        given["meta"] = _read(message_type, given["meta"])
    return given


def _read(message_type: str, given: Any) -> dict[str, Any]:
    try:
        return read_meta(message_type, given)
    except ValidationError as error:
        raise ValidationError({"meta": error.messages}) from None
