"""Wire forms of notifications and suppressions."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, post_load, pre_load, validate, validates_schema

from app.http import DayOrMoment, Schema, Timestamp
from app.notifications.attachments import MOST_FILES
from app.notifications.fields import address, check_map, line
from app.notifications.models import PRIORITIES, RECIPIENT_STATUSES, STATUSES, SUPPRESSION_REASONS, TYPES
from app.notifications.ordering import check_order, read_fallback

MOST_RECIPIENTS: Final = 10_000
MOST_COPIES: Final = 20


class NotificationOrder(Schema):
    """What is to reach whom. Give `content` (HTML) or `text`, or a `template_id`."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    type = fields.String(load_default="email", validate=validate.OneOf(TYPES))
    to_email = fields.Raw(metadata={"description": "An address, or a list of them", "example": "ann@shop.example"})
    recipients = fields.List(
        fields.String(),
        validate=validate.Length(1, MOST_RECIPIENTS),
        metadata={
            "description": "As a list; of `websocket` the ids of users, of `webhook` of webhooks",
            "example": ["ann@shop.example"],
        },
    )
    room_id = fields.UUID(metadata={"description": "All who are in a chat room; of `websocket` alone"})
    email_fallback = fields.Raw(
        metadata={
            "description": "Of `websocket`: a mail to who is not connected; true, or an object with `enabled`,"
            " `to_email`, `subject`, `content`"
        }
    )
    subject = line(255, metadata={"example": "Your order"})
    content = fields.String(validate=validate.Length(1, 200_000), metadata={"description": "HTML"})
    text = fields.String(validate=validate.Length(1, 200_000), metadata={"description": "For eyes without HTML"})
    template_id = fields.UUID()
    variables = fields.Dict(keys=fields.String(), load_default=dict, validate=check_map, metadata={"example": {}})
    priority = fields.String(load_default="normal", validate=validate.OneOf(PRIORITIES))
    scheduled_for = Timestamp()
    from_email = address()
    from_name = line(100)
    reply_to = address()
    cc = fields.List(address(), load_default=list, validate=validate.Length(max=MOST_COPIES))
    bcc = fields.List(address(), load_default=list, validate=validate.Length(max=MOST_COPIES))
    attachments = fields.List(
        fields.UUID(),
        load_default=list,
        validate=validate.Length(max=MOST_FILES),
        metadata={"description": "The ids of files that were brought before; of `email` alone", "example": []},
    )
    can_unsubscribe = fields.Boolean(
        load_default=False, metadata={"description": "Adds the headers by which one click unsubscribes"}
    )
    max_retry_attempts = fields.Integer(load_default=3, validate=validate.Range(0, 10))
    meta = fields.Dict(keys=fields.String(), load_default=dict, validate=check_map, metadata={"example": {}})

    @pre_load
    def gather(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Read `to_email`, one address or many, as `recipients`."""
        if "to_email" not in data:
            return data
        given = data["to_email"] if isinstance(data["to_email"], list) else [data["to_email"]]
        more = data.get("recipients", [])
        rest = {name: value for name, value in data.items() if name != "to_email"}
        return {**rest, "recipients": [*given, *(more if isinstance(more, list) else [more])]}

    @validates_schema
    def check_whole(self, data: dict[str, Any], **_: Any) -> None:
        """A notification has recipients, a subject if it is a mail, and something to say."""
        check_order(data)

    @post_load
    def settle(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Call the content what it is, and say in one way whether mails go to who is not connected."""
        data["html"] = data.pop("content", None)
        fallback = read_fallback(data.pop("email_fallback", None))
        return {"subject": "", "text": None, **data, "email_fallback": fallback}


class NotificationSchema(Schema):
    """A notification."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True, allow_none=True)
    client_id = fields.UUID(required=True, allow_none=True)
    type = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    priority = fields.String(required=True, validate=validate.OneOf(PRIORITIES))
    subject = fields.String(required=True)
    template_id = fields.UUID(required=True, allow_none=True)
    from_email = fields.String(required=True, allow_none=True)
    reply_to = fields.String(required=True, allow_none=True)
    cc = fields.List(fields.String(), required=True)
    bcc = fields.List(fields.String(), required=True)
    can_unsubscribe = fields.Boolean(required=True)
    max_retry_attempts = fields.Integer(required=True)
    room_id = fields.UUID(required=True, allow_none=True)
    fallback_used = fields.Boolean(required=True, metadata={"description": "Whether somebody got a mail instead"})
    recipient_count = fields.Integer(required=True)
    meta = fields.Dict(keys=fields.String(), required=True)
    job_id = fields.UUID(required=True, allow_none=True)
    scheduled_for = Timestamp(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)


class DeliveryAttemptSchema(Schema):
    """One try to reach a recipient."""

    recipient = fields.String(required=True)
    attempt_number = fields.Integer(required=True)
    provider_name = fields.String(required=True)
    attempted_at = Timestamp(required=True)
    status = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`success`, `failed`, or `unknown`; empty while it lasts"},
    )
    error_code = fields.String(required=True, allow_none=True)
    provider_response = fields.String(required=True, allow_none=True)
    response_time_ms = fields.Float(required=True, allow_none=True)


class RecipientSchema(Schema):
    """A recipient, and what became of it: why it got nothing, or not yet."""

    id = fields.UUID(required=True)
    address = fields.String(required=True)
    email = fields.String(
        required=True, allow_none=True, metadata={"description": "Where a mail went instead, of a user not connected"}
    )
    status = fields.String(required=True, validate=validate.OneOf(RECIPIENT_STATUSES))
    code = fields.String(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    attempts = fields.Integer(required=True, attribute="attempt")
    provider = fields.String(required=True, allow_none=True)
    provider_message_id = fields.String(required=True, allow_none=True)
    next_attempt_at = Timestamp(required=True, allow_none=True)
    sent_at = Timestamp(required=True, allow_none=True)
    delivered_at = Timestamp(required=True, allow_none=True, metadata={"description": "As the provider tells it"})
    bounced_at = Timestamp(required=True, allow_none=True)
    complained_at = Timestamp(required=True, allow_none=True)
    opened_at = Timestamp(required=True, allow_none=True, metadata={"description": "For the first time"})
    clicked_at = Timestamp(required=True, allow_none=True, metadata={"description": "For the first time"})


class EnclosedSchema(Schema):
    """A file that a mail carries."""

    id = fields.UUID(required=True)
    filename = fields.String(required=True)
    content_type = fields.String(required=True)
    size = fields.Integer(required=True)


class NotificationDetail(NotificationSchema):
    """A notification with what it says, how its recipients fare, and the newest attempts."""

    html = fields.String(required=True, allow_none=True)
    text = fields.String(required=True, allow_none=True)
    attachments = fields.List(fields.Nested(EnclosedSchema), required=True)
    recipient_counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    delivery_attempts = fields.List(fields.Nested(DeliveryAttemptSchema), required=True)


class NotificationFilters(Schema):
    """What the list of notifications can be narrowed by."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    type = fields.String(validate=validate.OneOf(TYPES))
    recipient = fields.String(validate=validate.Length(1, 254))
    room_id = fields.UUID()
    organization_id = fields.UUID()
    start_date = DayOrMoment()
    end_date = DayOrMoment(is_end=True)
    created_after = Timestamp()
    created_before = Timestamp()


class RecipientFilters(Schema):
    """What the list of recipients can be narrowed by."""

    status = fields.String(validate=validate.OneOf(RECIPIENT_STATUSES))
    code = fields.String(validate=validate.Length(1, 100))


class SuppressionSchema(Schema):
    """An address that is left alone."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True, allow_none=True)
    client_id = fields.UUID(required=True, allow_none=True)
    address = fields.String(required=True)
    reason = fields.String(required=True, validate=validate.OneOf(SUPPRESSION_REASONS))
    notification_id = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class SuppressionOrder(Schema):
    """Who is to be left alone."""

    organization_id = fields.UUID(metadata={"description": "The caller's personal organization unless given"})
    address = address(required=True, metadata={"example": "bob@shop.example"})


class SuppressionFilters(Schema):
    """What the list of suppressions can be narrowed by."""

    address = fields.String(validate=validate.Length(1, 254))
    reason = fields.String(validate=validate.OneOf(SUPPRESSION_REASONS))
    organization_id = fields.UUID()
