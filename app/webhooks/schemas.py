"""Wire forms of webhooks."""

from __future__ import annotations

import re
from typing import Any, Final

from marshmallow import ValidationError, fields, post_load, validate

from app.http import Schema, Timestamp
from app.webhooks.catalogue import find_pattern_fault
from app.webhooks.models import ORDERINGS, STATES, UNORDERED
from app.webhooks.signing import read_secret

MOST_HEADERS: Final = 20
FORBIDDEN: Final = frozenset(
    {"authorization", "host", "user-agent", "content-length", "content-type", "content-encoding", "transfer-encoding"}
    | {"connection", "keep-alive", "upgrade", "te", "trailer", "expect", "accept-encoding", "cookie", "date"}
    | {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "x-real-ip"}
)
FORBIDDEN_BEGINNINGS: Final = ("webhook-", "proxy-", "sec-")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_FILTER = r"^[a-z]+_id\Z"
_EVENT = r"^(\*|[a-z_]+\.(\*|[a-z_]+))\Z"
_URL = "https://shop.example.com/hook"


def _check_pattern(pattern: str) -> None:
    if fault := find_pattern_fault(pattern):
        raise ValidationError(f"{pattern} {fault}.")


def _check_secret(secret: str) -> None:
    try:
        read_secret(secret)
    except ValueError as error:
        raise ValidationError(f"This {error}.") from error


def _check_headers(headers: dict[str, str]) -> None:
    names = [name.lower() for name in headers]
    if len(names) > MOST_HEADERS or len(set(names)) < len(names):
        raise ValidationError(f"Must be at most {MOST_HEADERS}, each named once.")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in FORBIDDEN or name.lower().startswith(FORBIDDEN_BEGINNINGS):
            raise ValidationError(f"{name[:100]!r} must not be set, or is no name of a header.")
        if not (value.isascii() and value.isprintable() and len(value) <= 1000):
            raise ValidationError(f"The value of {name} must be printable ASCII of at most 1000 characters.")


def _check_meta(meta: dict[str, Any]) -> None:
    if len(meta) > 50 or len(str(meta)) > 10_000:
        raise ValidationError("Must have at most 50 fields and 10,000 characters.")


def _events(**kwargs: Any) -> fields.List[Any]:
    one = fields.String(validate=[validate.Length(1, 100), validate.Regexp(_EVENT), _check_pattern])
    said = {"description": "Types of events, as `cluster.created`, `cluster.*` or `*`", "example": ["execution.*"]}
    return fields.List(one, validate=validate.Length(1, 100), metadata=said, **kwargs)


def _headers(**kwargs: Any) -> fields.Dict:
    said = {"description": "Sent with each delivery; not those that the platform or HTTP sets", "example": {}}
    return fields.Dict(keys=fields.String(), values=fields.String(), validate=_check_headers, metadata=said, **kwargs)


def _filters(**kwargs: Any) -> fields.Dict:
    said = {
        "description": "By name such as `workspace_id`: of events that name one, only those of these are told",
        "example": {},
    }
    return fields.Dict(
        keys=fields.String(validate=validate.Regexp(_FILTER)),
        values=fields.List(fields.UUID(), validate=validate.Length(1, 100)),
        validate=validate.Length(max=10),
        metadata=said,
        **kwargs,
    )


def _meta(**kwargs: Any) -> fields.Dict:
    return fields.Dict(keys=fields.String(), validate=_check_meta, metadata={"example": {}}, **kwargs)


class WebhookChange(Schema):
    """What is changed of a webhook; fields that are left out stay."""

    url = fields.String(validate=validate.Length(1, 2000), metadata={"example": _URL})
    description = fields.String(allow_none=True, validate=validate.Length(max=500))
    events = _events()
    secret = fields.String(
        validate=_check_secret,
        load_only=True,
        metadata={"description": "24 to 64 bytes in base64, with or without `whsec_` before it; counts at once"},
    )
    custom_headers = _headers()
    resource_filters = _filters()
    room_filters = fields.List(
        fields.UUID(),
        validate=validate.Length(max=100),
        metadata={"description": "The same as `resource_filters.room_id`"},
    )
    ordering = fields.String(
        validate=validate.OneOf(ORDERINGS),
        metadata={"description": "`per-subject`: events about one thing come one after the other, numbered"},
    )
    concurrency = fields.Integer(validate=validate.Range(1, 20), metadata={"description": "Requests at once"})
    meta = _meta()
    is_active = fields.Boolean()

    @post_load
    def merge_filters(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Make one map of the filters, whose ids are texts as they are in events."""
        rooms = data.pop("room_filters", None)
        if "resource_filters" not in data and rooms is None:
            return data
        filters = dict(data.get("resource_filters") or {})
        if rooms:
            filters["room_id"] = rooms
        return data | {"resource_filters": {name: [str(one) for one in ids] for name, ids in filters.items()}}


class WebhookReplacement(WebhookChange):
    """A webhook, whole; fields that are left out take their defaults, but the secret and whether it is on stay."""

    url = fields.String(required=True, validate=validate.Length(1, 2000), metadata={"example": _URL})
    description = fields.String(allow_none=True, load_default=None, validate=validate.Length(max=500))
    events = _events(required=True)
    custom_headers = _headers(load_default=dict)
    resource_filters = _filters(load_default=dict)
    ordering = fields.String(validate=validate.OneOf(ORDERINGS), load_default=UNORDERED)
    concurrency = fields.Integer(validate=validate.Range(1, 20), load_default=5)
    meta = _meta(load_default=dict)


class WebhookRegistration(WebhookReplacement):
    """What makes a webhook. Without a `secret` one is made."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})


class WebhookHealthSchema(Schema):
    """How a webhook fares."""

    failures = fields.Integer(required=True, metadata={"description": "Attempts that failed one after the other"})
    failing_since = Timestamp(required=True, allow_none=True)
    last_delivery_at = Timestamp(required=True, allow_none=True)
    last_success_at = Timestamp(required=True, allow_none=True)
    last_status = fields.Integer(required=True, allow_none=True)
    last_error = fields.String(required=True, allow_none=True)


class WebhookEndpointSchema(Schema):
    """A webhook, without its secret."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True, allow_none=True)
    client_id = fields.UUID(required=True, allow_none=True)
    url = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    events = fields.List(fields.String(), required=True)
    resource_filters = fields.Dict(keys=fields.String(), required=True)
    ordering = fields.String(required=True, validate=validate.OneOf(ORDERINGS))
    concurrency = fields.Integer(required=True)
    meta = fields.Dict(keys=fields.String(), required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    state_reason = fields.String(required=True, allow_none=True)
    is_active = fields.Boolean(required=True, metadata={"description": "Whether it is told of events"})
    previous_secret_until = Timestamp(
        required=True,
        allow_none=True,
        attribute="previous_until",
        metadata={"description": "Until when the secret before signs as well"},
    )
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class WebhookShown(WebhookEndpointSchema):
    """A webhook with its secret, which is shown this once."""

    secret = fields.String(required=True)


class WebhookDetail(WebhookEndpointSchema):
    """A webhook, the headers it adds, and how it fares."""

    custom_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    health = fields.Nested(WebhookHealthSchema, required=True)


class WebhookFilters(Schema):
    """What the list of webhooks can be narrowed by."""

    state = fields.String(validate=validate.OneOf(STATES))
    organization_id = fields.UUID()


class SecretRotation(Schema):
    """How to rotate."""

    secret = fields.String(validate=_check_secret, metadata={"description": "Made unless given"})
    immediately = fields.Boolean(load_default=False, metadata={"description": "The secret before signs no more"})


class TestEvent(Schema):
    """Which event is to be tried."""

    event = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "cluster.created"})
    test_data = fields.Dict(
        keys=fields.String(), load_default=dict, metadata={"description": "In place of the example's", "example": {}}
    )


class ReplayOrder(Schema):
    """Which events are to be delivered again."""

    since = Timestamp(required=True, metadata={"example": "2026-01-31T12:00:00.000Z"})
    until = Timestamp(metadata={"description": "Now unless given"})
    only_missing = fields.Boolean(
        load_default=False, metadata={"description": "Not those that the receiver has taken already"}
    )
