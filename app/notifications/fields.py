"""Fields that the wire forms of notifications share."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.notifications.addresses import find_address_fault


def check_address(text: str) -> None:
    """Raise ValidationError for a text that is no address."""
    if fault := find_address_fault(text):
        raise ValidationError(f"This {fault}.")


def check_line(text: str) -> None:
    """Raise ValidationError for a text that would end its header and begin another."""
    if not text.isprintable():
        raise ValidationError("Must not contain line breaks or other control characters.")


def check_map(value: dict[str, Any]) -> None:
    """Raise ValidationError for a map that is too large to be kept beside something."""
    if len(value) > 200 or len(str(value)) > 50_000:
        raise ValidationError("Must have at most 200 fields and 50,000 characters.")


def address(**kwargs: Any) -> fields.String:
    """A field for an address."""
    return fields.String(validate=[validate.Length(3, 254), check_address], **kwargs)


def line(longest: int, **kwargs: Any) -> fields.String:
    """A field for what stands in a header."""
    return fields.String(validate=[validate.Length(1, longest), check_line], **kwargs)
