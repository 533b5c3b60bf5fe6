"""Wire forms of recommendations."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.sre.models import ADVICE_STATUSES, DISMISSED, OPEN, REASONS, STATUSES
from app.sre.recommending.effects import VERDICTS
from app.sre.recommending.findings import KINDS, PRIORITIES

LONGEST_COMMENT = 2000


class ResourceSchema(Schema):
    """What a recommendation is about."""

    kind = fields.String(required=True, attribute="resource_kind", metadata={"example": "Deployment"})
    namespace = fields.String(required=True, metadata={"description": "Empty for what lies in none"})
    name = fields.String(required=True, attribute="resource_name")
    container = fields.String(required=True, metadata={"description": "Empty for all of the object"})


class FeedbackSchema(Schema):
    """What somebody has said of a recommendation."""

    status = fields.String(required=True, validate=validate.OneOf((OPEN, DISMISSED)))
    reason = fields.String(required=True, allow_none=True)
    comment = fields.String(required=True, allow_none=True)
    by = fields.UUID(required=True)
    at = fields.String(required=True, metadata={"format": "date-time"})


class RecommendationSchema(Schema):
    """What should be done about something of a cluster, and why."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    cluster_id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    resource = fields.Nested(ResourceSchema, required=True, attribute="itself")
    status = fields.String(required=True, validate=validate.OneOf(ADVICE_STATUSES))
    priority = fields.String(required=True, validate=validate.OneOf(PRIORITIES))
    title = fields.String(required=True)
    formula = fields.String(required=True, metadata={"description": "How its figures come about"})
    evidence = fields.Dict(keys=fields.String(), required=True, metadata={"description": "What it rests on"})
    confidence = fields.Float(required=True, metadata={"description": "From 0 to 1"})
    expected_effect = fields.Dict(keys=fields.String(), required=True)
    command = fields.String(required=True, metadata={"description": "What does the same by hand"})
    patch = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "The strategic merge patch that `apply` makes; none where it cannot be applied"},
    )
    can_be_applied = fields.Boolean(required=True)
    feedback = fields.List(fields.Nested(FeedbackSchema), required=True)
    created_at = Timestamp(required=True)
    found_at = Timestamp(required=True, metadata={"description": "When it was last found"})
    settled_at = Timestamp(
        required=True, allow_none=True, metadata={"description": "When it was dismissed, applied or resolved"}
    )


class RecommendationFilters(Schema):
    """What the list of recommendations can be narrowed by."""

    organization_id = fields.UUID()
    cluster_id = fields.UUID()
    kind = fields.String(validate=validate.OneOf(KINDS))
    status = fields.String(
        validate=validate.OneOf(ADVICE_STATUSES), metadata={"description": "`open` unless another is asked for"}
    )
    priority = fields.String(validate=validate.OneOf(PRIORITIES))
    namespace = fields.String(validate=validate.Length(1, 63))
    resource_kind = fields.String(validate=validate.Length(1, 63))
    min_confidence = fields.Float(validate=validate.Range(0, 1))
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In the resource's name"})


class FeedbackGiven(Schema):
    """What somebody says of a recommendation."""

    status = fields.String(
        required=True,
        validate=validate.OneOf((DISMISSED, OPEN)),
        metadata={"description": "A dismissed one stays away until what it rests on is another"},
    )
    reason = fields.String(
        validate=validate.OneOf(REASONS), metadata={"description": "Why it is dismissed; has to be given then"}
    )
    comment = fields.String(validate=validate.Length(max=LONGEST_COMMENT))


class GenerationRequest(Schema):
    """Of which cluster recommendations are to be found."""

    cluster_id = fields.UUID(required=True)


class GenerationSchema(Schema):
    """A cluster whose recommendations are being found."""

    cluster_id = fields.UUID(required=True)


class ApplyRequest(Schema):
    """How a recommendation is to be applied."""

    dry_run = fields.Boolean(
        load_default=False, metadata={"description": "Have the cluster say what would come of it, and write nothing"}
    )


class EffectSchema(Schema):
    """What was seen a day after a change."""

    verdict = fields.String(required=True, validate=validate.OneOf(VERDICTS))
    reason = fields.String(metadata={"description": "Why nothing is known"})
    expected = fields.Dict(keys=fields.String(), required=True)
    measured = fields.Dict(keys=fields.String())


class RecommendationApplySchema(Schema):
    """Once that a recommendation was applied, or tried."""

    id = fields.UUID(required=True)
    recommendation_id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    cluster_id = fields.UUID(required=True)
    dry_run = fields.Boolean(required=True)
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    patch = fields.Dict(keys=fields.String(), required=True)
    outcome = fields.Dict(
        keys=fields.String(), required=True, allow_none=True, metadata={"description": "Each field that changed"}
    )
    error = fields.Dict(keys=fields.String(), required=True, allow_none=True)
    effect = fields.Nested(EffectSchema, required=True, allow_none=True)
    created_by = fields.UUID(required=True)
    created_at = Timestamp(required=True)
    finished_at = Timestamp(required=True, allow_none=True)
    measured_at = Timestamp(required=True, allow_none=True)
