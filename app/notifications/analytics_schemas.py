"""Wire forms of what is counted of notifications."""

from __future__ import annotations

from marshmallow import fields

from app.http import DayOrMoment, Schema, Timestamp


def _counts() -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class NotificationAnalyticsQuery(Schema):
    """Whose notifications, of which time."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    start_date = DayOrMoment(metadata={"description": "A date or a moment; thirty days ago unless given"})
    end_date = DayOrMoment(is_end=True, metadata={"description": "A date, which is meant whole, or a moment; or now"})


class ChannelNumbers(Schema):
    """How the recipients of a channel, a day or a template have fared."""

    total = fields.Integer(required=True)
    successful = fields.Integer(required=True)
    failed = fields.Integer(required=True)
    success_rate = fields.Float(required=True, allow_none=True)


class NotificationAnalytics(Schema):
    """How notifications, and their recipients, have fared."""

    start_date = Timestamp(required=True)
    end_date = Timestamp(required=True)
    total_notifications = fields.Integer(required=True)
    by_status = _counts()
    by_type = _counts()
    recipients_by_status = _counts()
    by_provider = _counts()
    by_reason = _counts()
    successful_deliveries = fields.Integer(required=True)
    failed_deliveries = fields.Integer(required=True)
    success_rate = fields.Float(required=True, allow_none=True)
    delivery_rate = fields.Float(required=True, allow_none=True)
    fallback_usage = fields.Integer(required=True, metadata={"description": "Mails to users who were not connected"})
    by_channel = fields.Dict(keys=fields.String(), values=fields.Nested(ChannelNumbers), required=True)
    by_day = fields.Dict(keys=fields.String(), values=fields.Nested(ChannelNumbers), required=True)
    by_template = fields.Dict(keys=fields.String(), values=fields.Nested(ChannelNumbers), required=True)
