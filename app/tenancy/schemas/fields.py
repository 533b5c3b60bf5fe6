"""What the wire forms of this room have in common."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.tenancy.slugs import LONGEST_SLUG


def printable(text: str) -> None:
    """Refuse what is blank or has control characters."""
    if not text.isprintable() or not text.strip():
        raise ValidationError("Must not be blank or contain control characters.")


def printable_lines(text: str) -> None:
    """Refuse control characters, but allow several lines."""
    if not "".join(text.splitlines()).replace("\t", " ").isprintable():
        raise ValidationError("Must not contain control characters.")


def name_field(**kwargs: Any) -> fields.String:
    """Return a field for a name."""
    return fields.String(validate=[validate.Length(min=1, max=100), printable], **kwargs)


def slug_field() -> fields.String:
    """Return a field for a slug."""
    return fields.String(
        validate=[
            validate.Length(min=1, max=LONGEST_SLUG),
            validate.Regexp(r"^[a-z0-9]+(-[a-z0-9]+)*\Z", error="Must be a-z, 0-9 and single dashes."),
        ],
        metadata={"description": "Made from the name unless given", "example": "web-shop"},
    )


def description_field(**kwargs: Any) -> fields.String:
    """Return a field for a description."""
    return fields.String(allow_none=True, validate=[validate.Length(max=2000), printable_lines], **kwargs)
