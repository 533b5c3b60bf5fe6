"""Wire forms of attachments."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.messaging.schemas.fields import one_line
from app.messaging.schemas.meta import MEDIA_TYPE


class AttachmentQuery(Schema):
    """A file that is brought to a room."""

    name = fields.String(
        required=True, validate=[validate.Length(1, 255), one_line], metadata={"example": "invoice.pdf"}
    )
    mime = fields.String(
        load_default="application/octet-stream", validate=MEDIA_TYPE, metadata={"example": "application/pdf"}
    )


class Attachment(Schema):
    """A file in a room."""

    id = fields.UUID(required=True)
    room_id = fields.UUID(required=True)
    message_id = fields.UUID(required=True, allow_none=True, metadata={"description": "The message that carries it"})
    uploaded_by = fields.UUID(required=True)
    name = fields.String(required=True)
    mime = fields.String(required=True)
    size = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    url = fields.String(required=True, metadata={"description": "Where it is downloaded, at the API's own address"})
    created_at = Timestamp(required=True)
