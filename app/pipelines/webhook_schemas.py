"""Wire forms of incoming webhooks."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.pipelines.models.webhook import OUTCOMES

PROVIDERS = ["github", "gitlab", "gitea"]
KINDS = ["push", "tag", "pull_request", "ping", "other", "ignored"]


class DeliveryQuerySchema(Schema):
    """Whom a delivery is for."""

    workspace = fields.UUID(
        load_default=None,
        metadata={"description": "the workspace it is for; else all of its repository are tried, the oldest 200"},
    )


class DeliveryReplySchema(Schema):
    """What a code host is answered."""

    message = fields.String()
    executions_triggered = fields.Integer()
    executions = fields.List(fields.UUID())


class WebhookSchema(Schema):
    """A workspace's incoming webhook, without its secret."""

    urls = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "where each kind of host delivers"}
    )
    created_at = Timestamp()
    rotated_at = Timestamp(allow_none=True)
    previous_until = Timestamp(allow_none=True, metadata={"description": "until when the secret before is valid"})
    refused = fields.Integer(metadata={"description": "deliveries for this repository with a wrong signature or none"})
    refused_at = Timestamp(allow_none=True)


class RotatedWebhookSchema(WebhookSchema):
    """A webhook with its new secret."""

    secret = fields.String(metadata={"description": "shown this once"})


class RotationSchema(Schema):
    """How to rotate."""

    immediately = fields.Boolean(load_default=False, metadata={"description": "the secret before is invalid at once"})


class ReactionSchema(Schema):
    """What a delivery meant to one pipeline."""

    pipeline_id = fields.UUID()
    pipeline = fields.String()
    execution_id = fields.UUID(allow_none=True)
    reason = fields.String(allow_none=True, metadata={"description": "why nothing was started"})


class DeliverySchema(Schema):
    """A delivery."""

    id = fields.UUID()
    provider = fields.String(validate=validate.OneOf(PROVIDERS))
    delivery_id = fields.String()
    event = fields.String(metadata={"description": "as the host names it"})
    kind = fields.String(validate=validate.OneOf(KINDS))
    action = fields.String(allow_none=True)
    branch = fields.String(allow_none=True)
    tag = fields.String(allow_none=True)
    commit_sha = fields.String(allow_none=True)
    pull_request = fields.Integer(allow_none=True)
    fork = fields.Boolean()
    sender = fields.String(allow_none=True)
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))
    reason = fields.String(allow_none=True, metadata={"description": "why nothing was started"})
    executions = fields.List(fields.Nested(ReactionSchema))
    redelivered = fields.Integer(metadata={"description": "times it was delivered again"})
    created_at = Timestamp()


class DeliveryFilterSchema(Schema):
    """Filters of a list of deliveries."""

    provider = fields.String(validate=validate.OneOf(PROVIDERS))
    outcome = fields.String(validate=validate.OneOf(OUTCOMES))
    delivery_id = fields.String()
