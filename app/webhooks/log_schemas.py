"""Wire forms of deliveries, of what is counted of them, and of the types of events."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import DayOrMoment, Schema, Timestamp
from app.webhooks.models import DELIVERY_KINDS, DELIVERY_STATUSES, OUTCOMES


class WebhookDeliverySchema(Schema):
    """A delivery."""

    id = fields.UUID(required=True)
    webhook_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(DELIVERY_KINDS))
    event_id = fields.UUID(required=True, metadata={"description": "The header `webhook-id`"})
    event_type = fields.String(required=True)
    subject = fields.String(required=True, allow_none=True)
    sequence = fields.Integer(required=True, allow_none=True)
    status = fields.String(required=True, validate=validate.OneOf(DELIVERY_STATUSES))
    attempts = fields.Integer(required=True, attribute="attempt")
    next_attempt_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "Empty for what waits behind an earlier event"}
    )
    last_status = fields.Integer(required=True, allow_none=True, metadata={"description": "HTTP status of the answer"})
    last_code = fields.String(required=True, allow_none=True, metadata={"example": "SERVER_TOO_SLOW"})
    last_error = fields.String(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)


class WebhookAttemptSchema(Schema):
    """One try of a delivery."""

    number = fields.Integer(required=True)
    url = fields.String(required=True)
    begun_at = Timestamp(required=True)
    milliseconds = fields.Float(required=True, allow_none=True)
    outcome = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf([*OUTCOMES, None]),
        metadata={"description": "Empty while it lasts"},
    )
    status_code = fields.Integer(required=True, allow_none=True)
    code = fields.String(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    request_headers = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    response_headers = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    response_body = fields.String(required=True, allow_none=True, metadata={"description": "The first 16 KiB"})
    is_truncated = fields.Boolean(required=True, allow_none=True)


class WebhookDeliveryDetail(WebhookDeliverySchema):
    """A delivery, what is sent, and its attempts."""

    body = fields.String(required=True, metadata={"description": "What is sent, byte for byte"})
    attempt_log = fields.List(fields.Nested(WebhookAttemptSchema), required=True)


class WebhookDeliveryFilters(Schema):
    """What the list of deliveries can be narrowed by."""

    status = fields.String(validate=validate.OneOf(DELIVERY_STATUSES))
    kind = fields.String(validate=validate.OneOf(DELIVERY_KINDS))
    event_type = fields.String(validate=validate.Length(1, 100))
    event_id = fields.UUID()
    subject = fields.String(validate=validate.Length(1, 200))
    created_after = Timestamp()
    created_before = Timestamp()


class AnalyticsQuery(Schema):
    """Which time."""

    start_date = DayOrMoment(metadata={"description": "A date or a moment; a week ago unless given"})
    end_date = DayOrMoment(is_end=True, metadata={"description": "A date, which is meant whole, or a moment; or now"})


def _counts() -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class WebhookAnalytics(Schema):
    """How deliveries have fared; times in milliseconds."""

    start_date = Timestamp(required=True)
    end_date = Timestamp(required=True)
    total_deliveries = fields.Integer(required=True)
    successful_deliveries = fields.Integer(required=True)
    failed_deliveries = fields.Integer(required=True)
    success_rate = fields.Float(
        required=True, allow_none=True, metadata={"description": "Of those that have ended, from 0 to 1"}
    )
    attempts = fields.Integer(required=True)
    lost_attempts = fields.Integer(required=True)
    average_response_time = fields.Float(required=True, allow_none=True)
    median_response_time = fields.Float(required=True, allow_none=True)
    p99_response_time = fields.Float(required=True, allow_none=True)
    by_status = _counts()
    by_event = _counts()
    by_status_code = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Attempts by the answer's status; `none` where there was no answer"},
    )


class EventTypeSchema(Schema):
    """A type of event."""

    type = fields.String(required=True)
    description = fields.String(required=True)
    schema = fields.Dict(keys=fields.String(), required=True, metadata={"description": "JSON Schema of what is sent"})
    example = fields.Dict(keys=fields.String(), required=True)
