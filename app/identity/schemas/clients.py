"""Wire forms of client applications."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate

from app.http import Schema, Timestamp
from app.identity.clients import STATUSES
from app.identity.permissions import CLIENT_PLANS
from app.identity.schemas.accounts import email_field, printable, printable_lines

MOST_SETTINGS = 50
LONGEST_VALUE = 500
PLANS = list(CLIENT_PLANS)


def scalar(value: Any) -> None:
    """Refuse what is no text of some hundred characters, number, truth or null."""
    if isinstance(value, str) and len(value) <= LONGEST_VALUE:
        printable_lines(value)
    elif not (value is None or isinstance(value, int | float)):
        raise ValidationError(f"Must be a text of at most {LONGEST_VALUE} characters, a number, true, false or null.")


def _name(**kwargs: Any) -> fields.String:
    # Letters that look like others would let one application pass for another.
    words = validate.Regexp(r"^[!-~]+( [!-~]+)*\Z", error="Must be words of ASCII characters with one space between.")
    return fields.String(validate=[validate.Length(min=3, max=100), words], metadata={"example": "Web shop"}, **kwargs)


def _description(**kwargs: Any) -> fields.String:
    return fields.String(
        allow_none=True,
        validate=[validate.Length(max=500), printable_lines],
        metadata={"example": "Orders and questions of our customers"},
        **kwargs,
    )


def _settings(**kwargs: Any) -> fields.Dict:
    return fields.Dict(
        keys=fields.String(validate=[validate.Length(min=1, max=64), printable]),
        values=fields.Raw(allow_none=True, validate=scalar),
        validate=validate.Length(max=MOST_SETTINGS),
        metadata={"description": "What the application wants to find again", "example": {"locale": "en"}},
        **kwargs,
    )


def _retention(**kwargs: Any) -> fields.Integer:
    return fields.Integer(
        allow_none=True,
        validate=validate.Range(1, 3650),
        metadata={"description": "Days that messages are kept; null for as long as the installation says"},
        **kwargs,
    )


class ClientChange(Schema):
    """What is changed of an application; fields that are left out stay."""

    name = _name()
    description = _description()
    contact_email = email_field(allow_none=True)
    settings = _settings()
    message_retention_days = _retention()


class ClientReplacement(ClientChange):
    """An application, whole, or what makes one; fields that are left out become empty."""

    name = _name(required=True)
    description = _description(load_default=None)
    contact_email = email_field(load_default=None, allow_none=True)
    settings = _settings(load_default=dict)
    message_retention_days = _retention(load_default=None)


class ClientKey(Schema):
    """A key, without its text."""

    prefix = fields.String(required=True, metadata={"description": "How the text begins, to know it again"})
    created_at = Timestamp(required=True)
    expires_at = Timestamp(required=True, allow_none=True)
    last_used_at = Timestamp(required=True, allow_none=True, metadata={"description": "To the minute"})
    last_used_ip = fields.String(required=True, allow_none=True)


class ClientLimits(Schema):
    """What the plan of an application allows; null is no limit."""

    users = fields.Integer(required=True, allow_none=True)


class Client(Schema):
    """A client application."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    contact_email = fields.String(required=True, allow_none=True)
    plan = fields.String(required=True, validate=validate.OneOf(PLANS))
    limits = fields.Nested(ClientLimits, required=True)
    settings = fields.Dict(keys=fields.String(), required=True)
    message_retention_days = fields.Integer(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    is_active = fields.Boolean(required=True)
    key = fields.Nested(ClientKey, required=True, metadata={"description": "The master key that works"})
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class ClientShown(Client):
    """A client application with the text of its master key, this one time."""

    master_api_key = fields.String(
        required=True, metadata={"description": "Send as `Authorization: Bearer …` or `X-API-Key`, from servers only"}
    )


class ClientFilters(Schema):
    """What the list of applications can be narrowed by."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    plan = fields.String(validate=validate.OneOf(PLANS))
    search = fields.String(validate=validate.Length(min=1, max=100), metadata={"description": "In the name"})


class ClientPlan(Schema):
    """The plan an application is to have."""

    plan = fields.String(required=True, validate=validate.OneOf(PLANS), metadata={"example": "pro"})
