"""Wire forms of problems."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.sre.models import PROBLEM_SEVERITIES, PROBLEM_STATUSES
from app.sre.problems.signals import SOURCES
from app.sre.problems.timeline import STEPS


class ThingSchema(Schema):
    """Something of a cluster."""

    kind = fields.String(required=True, metadata={"example": "Deployment"})
    namespace = fields.String(required=True, metadata={"description": "Empty for what lies in none"})
    name = fields.String(required=True)


class CauseSchema(Schema):
    """What is suspected to have come first."""

    key = fields.String(required=True)
    source = fields.String(required=True, validate=validate.OneOf(SOURCES))
    kind = fields.String(required=True, metadata={"example": "NodeNotReady"})
    about = fields.Nested(ThingSchema, required=True, allow_none=True)
    message = fields.String(required=True)
    since = fields.String(required=True, metadata={"format": "date-time"})
    confidence = fields.Float(required=True, metadata={"description": "How much speaks for it, from 0 to 1"})
    explained = fields.Integer(required=True, metadata={"description": "How many other signals it explains"})
    evidence = fields.Dict(
        keys=fields.String(),
        required=True,
        metadata={"description": "`observed` is what was seen of it; `explains` is what follows from it, with reasons"},
    )


class ProblemSchema(Schema):
    """What is one matter of all that is seen."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    title = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(PROBLEM_STATUSES))
    severity = fields.String(required=True, validate=validate.OneOf(PROBLEM_SEVERITIES))
    cause = fields.Nested(CauseSchema, required=True)
    assignee_id = fields.UUID(required=True, allow_none=True)
    opened_at = Timestamp(required=True, metadata={"description": "When the first of its signals began"})
    resolved_at = Timestamp(required=True, allow_none=True)
    resolved_by = fields.UUID(
        required=True, allow_none=True, metadata={"description": "None where nothing of it held any more"}
    )
    closed_at = Timestamp(required=True, allow_none=True)
    reopened = fields.Integer(required=True, metadata={"description": "How often it came back"})
    merged_into = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True, metadata={"description": "When it was found"})
    updated_at = Timestamp(required=True)


class SignalSchema(Schema):
    """A fact, an alert or an anomaly of a problem."""

    key = fields.String(required=True)
    source = fields.String(required=True, validate=validate.OneOf(SOURCES))
    kind = fields.String(required=True)
    about = fields.Nested(ThingSchema, required=True, allow_none=True)
    severity = fields.String(required=True)
    message = fields.String(required=True)
    evidence = fields.Dict(keys=fields.String(), required=True)
    started_at = Timestamp(required=True)
    ended_at = Timestamp(required=True, allow_none=True)
    explained_by = fields.String(
        required=True, allow_none=True, metadata={"description": "The signal that is suspected to be behind it"}
    )
    reason = fields.String(required=True, allow_none=True)
    strength = fields.Float(required=True, allow_none=True)


class StepSchema(Schema):
    """A step of a problem's timeline."""

    at = Timestamp(required=True)
    step = fields.String(required=True, validate=validate.OneOf(STEPS))
    detail = fields.Dict(keys=fields.String(), required=True)


class WholeProblemSchema(ProblemSchema):
    """A problem with its signals and its timeline."""

    signals = fields.List(fields.Nested(SignalSchema), required=True)
    timeline = fields.List(fields.Nested(StepSchema), required=True)


class ProblemFilters(Schema):
    """What the list of problems can be narrowed by."""

    organization_id = fields.UUID()
    workspace_id = fields.UUID()
    cluster_id = fields.UUID()
    status = fields.String(validate=validate.OneOf(PROBLEM_STATUSES))
    severity = fields.String(validate=validate.OneOf(PROBLEM_SEVERITIES))
    assignee_id = fields.UUID()
    kind = fields.String(validate=validate.Length(1, 200), metadata={"description": "Of the suspected first cause"})
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In the title"})
    start_date = Timestamp(metadata={"description": "Those that began then, or later"})
    end_date = Timestamp(metadata={"description": "Those that had begun by then"})


class ProblemChange(Schema):
    """What is changed of a problem."""

    status = fields.String(validate=validate.OneOf(PROBLEM_STATUSES), metadata={"example": "investigating"})
    assignee_id = fields.UUID(allow_none=True, metadata={"description": "Who may read it, or nobody"})
    note = fields.String(validate=validate.Length(1, 2000), metadata={"description": "For the timeline"})
