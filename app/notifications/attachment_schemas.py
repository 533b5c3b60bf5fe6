"""Wire forms of files that mails carry."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate

from app.http import Schema, Timestamp
from app.notifications.fields import check_line

# Mails within mails, and parts of parts, are not files.
_TYPE = validate.Regexp(r"^(application|audio|font|image|model|text|video)/[A-Za-z0-9][A-Za-z0-9.+-]{0,99}\Z")


def _check_name(text: str) -> None:
    check_line(text)
    if any(one in "/\\" for one in text) or text.strip(". ") == "":
        raise ValidationError("Must be the name of a file, without its folder.")


class AttachmentQuery(Schema):
    """What a file is."""

    filename = fields.String(
        required=True, validate=[validate.Length(1, 200), _check_name], metadata={"example": "invoice.pdf"}
    )
    content_type = fields.String(
        load_default="application/octet-stream", validate=_TYPE, metadata={"example": "application/pdf"}
    )
    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class AttachmentSchema(Schema):
    """A file that mails can carry."""

    id = fields.UUID(required=True)
    filename = fields.String(required=True)
    content_type = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "In bytes"})
    sha256 = fields.String(required=True)
    created_at = Timestamp(required=True)
