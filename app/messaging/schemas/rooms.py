"""Wire forms of rooms and their members."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.messaging.models import GROUP, MEMBER, ROLES, ROOM_TYPES
from app.messaging.schemas.fields import description_field, meta_field, name_field

MOST_MEMBERS = validate.Range(2, 10_000)
_USER = {"description": "For the application alone: which of its users"}


def _organizations(**kwargs: Any) -> fields.List[Any]:
    said = {"description": "Organizations whose alert rules may tell of alerts in this room", "example": []}
    return fields.List(_Id(), validate=validate.Length(max=10), metadata=said, **kwargs)


class _Id(fields.UUID):
    """An id, kept as text."""

    def _deserialize(self, *args: Any, **kwargs: Any) -> Any:
        return str(super()._deserialize(*args, **kwargs))


class RoomChange(Schema):
    """What is changed of a room; fields that are left out stay."""

    name = name_field()
    description = description_field()
    max_members = fields.Integer(validate=MOST_MEMBERS)
    meta = meta_field()
    alerts_from = _organizations()


class RoomReplacement(RoomChange):
    """A room, whole; fields that are left out take their defaults."""

    name = name_field(required=True)
    description = description_field(load_default=None)
    max_members = fields.Integer(validate=MOST_MEMBERS, load_default=100)
    meta = meta_field(load_default=dict)
    alerts_from = _organizations(load_default=list)


class RoomCreation(RoomReplacement):
    """A room to be made."""

    room_type = fields.String(validate=validate.OneOf(ROOM_TYPES), load_default=GROUP)
    members = fields.List(
        fields.UUID(),
        validate=validate.Length(max=100),
        load_default=list,
        metadata={"description": "Users who are in it from the start, beside the user who makes it", "example": []},
    )


class Room(Schema):
    """A room."""

    id = fields.UUID(required=True)
    client_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    room_type = fields.String(required=True, validate=validate.OneOf(ROOM_TYPES))
    max_members = fields.Integer(required=True)
    meta = fields.Dict(keys=fields.String(), required=True)
    alerts_from = fields.List(fields.UUID(), required=True)
    is_active = fields.Boolean(required=True, attribute="state.is_active")
    deactivated_at = Timestamp(required=True, allow_none=True, attribute="state.deactivated_at")
    deactivated_reason = fields.String(required=True, allow_none=True, attribute="state.deactivated_reason")
    participant_count = fields.Integer(required=True, attribute="state.participant_count")
    message_count = fields.Integer(
        required=True, attribute="state.last_seq", metadata={"description": "The `seq` of the newest message"}
    )
    last_message_at = Timestamp(required=True, allow_none=True, attribute="state.last_message_at")
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class RoomFilters(Schema):
    """What the list of rooms can be narrowed by."""

    is_active = fields.Boolean()
    room_type = fields.String(validate=validate.OneOf(ROOM_TYPES))
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In name or description"})


class Deactivation(Schema):
    """Why a room is put to sleep."""

    reason = fields.String(validate=validate.Length(1, 200), load_default=None, allow_none=True)


class Nothing(Schema):
    """Nothing needs to be said."""


class Joining(Schema):
    """Who joins; users join themselves."""

    user_id = fields.UUID(metadata=_USER)
    user_name = name_field()
    meta = meta_field()


class Leaving(Schema):
    """Who leaves; users leave themselves."""

    user_id = fields.UUID(metadata=_USER)


class Invitation(Schema):
    """Whom to bring into a room."""

    user_id = fields.UUID(required=True)
    user_name = name_field()
    role = fields.String(validate=validate.OneOf(ROLES), load_default=MEMBER)
    meta = meta_field()


class RoleChange(Schema):
    """The role a member is to have."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES))


class Member(Schema):
    """A user in a room."""

    room_id = fields.UUID(required=True)
    user_id = fields.UUID(required=True)
    user_name = fields.String(required=True, attribute="display_name")
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    meta = fields.Dict(keys=fields.String(), required=True)
    is_active = fields.Boolean(required=True)
    joined_at = Timestamp(required=True)
    last_read_seq = fields.Integer(required=True, metadata={"description": "The newest message they have read"})
    last_read_at = Timestamp(required=True, allow_none=True)


class MemberFilters(Schema):
    """What the list of members can be narrowed by."""

    role = fields.String(validate=validate.OneOf(ROLES))


class Reading(Schema):
    """What was read: all, unless it says to which message."""

    seq = fields.Integer(validate=validate.Range(0, 2**53))
    message_id = fields.UUID()
    user_id = fields.UUID(metadata=_USER)


class UnreadQuery(Schema):
    """Whose unread messages."""

    user_id = fields.UUID(metadata=_USER)


class Unread(Schema):
    """What a member has not read."""

    room_id = fields.UUID(required=True)
    user_id = fields.UUID(required=True)
    unread_count = fields.Integer(required=True, attribute="count", metadata={"description": "Up to 1,000"})
    unread_mentions = fields.Integer(required=True, attribute="mentions", metadata={"description": "Up to 1,000"})
    last_read_seq = fields.Integer(required=True)
    last_seq = fields.Integer(required=True, metadata={"description": "The newest message of the room"})
