"""The shapes of running again and of approving: what is wanted, and what became of earlier attempts and waits."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.pipelines.models import DECISIONS, FINAL


class RetrySchema(Schema):
    """What to run again."""

    stages = fields.String(
        load_default="failed",
        validate=validate.OneOf(["failed", "all"]),
        metadata={"description": "`failed`: those that did not succeed; `all`: the whole, also where it succeeded"},
    )


class AttemptFilterSchema(Schema):
    """Filters of a list of attempts."""

    stage = fields.String()
    step = fields.String()


class StepAttemptSchema(Schema):
    """How an earlier attempt of a step ended."""

    id = fields.UUID()
    stage = fields.String(attribute="stage_name")
    step = fields.String(attribute="step_name")
    attempt = fields.Integer(metadata={"description": "of the step: its log is kept under this number"})
    stage_attempt = fields.Integer(metadata={"description": "the run of the stage it was a part of"})
    status = fields.String(validate=validate.OneOf(FINAL))
    reason = fields.String(allow_none=True)
    exit_code = fields.Integer(allow_none=True)
    signal = fields.Integer(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)
    peak_memory_bytes = fields.Integer(allow_none=True)
    sandbox = fields.String(allow_none=True)
    started_at = Timestamp()
    finished_at = Timestamp()
    logs_url = fields.String()


class DecisionSchema(Schema):
    """What is said with a decision."""

    comment = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=1000))


class StageDecisionSchema(Schema):
    """One time a stage was waiting for approval."""

    id = fields.UUID()
    stage = fields.String(attribute="stage_name")
    status = fields.String(validate=validate.OneOf(DECISIONS))
    requested_at = Timestamp()
    expires_at = Timestamp()
    decided_by = fields.UUID(allow_none=True)
    decided_at = Timestamp(allow_none=True)
    comment = fields.String(allow_none=True)


class StageApprovalSchema(StageDecisionSchema):
    """The same with what the plan says of it."""

    description = fields.String(allow_none=True)
    approvers = fields.List(fields.String(), metadata={"description": "empty: all who may approve executions"})
