"""Wire forms of alert rules, alerts and silences."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, ValidationError, fields, post_load, validate

from app.http import Moment, Schema, Timestamp
from app.monitoring.alerting.conditions import COMPARE, KINDS
from app.monitoring.alerting.matching import OPERATORS, REPEATS
from app.monitoring.alerting.routing import ROUTE_KINDS
from app.monitoring.models import SEVERITIES, SOURCES, STATUSES
from app.monitoring.naming import find_labels_fault
from app.monitoring.schemas.metrics import PlaceSchema


def _labels(value: dict[str, str]) -> None:
    if fault := find_labels_fault(value):
        raise ValidationError(fault)


def _seconds(default: int, least: int = 0, most: int = 604_800, **metadata: Any) -> fields.Integer:
    return fields.Integer(load_default=default, validate=validate.Range(least, most), metadata=metadata)


class MatcherSchema(Schema):
    """What a label must, or must not, be."""

    label = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "pod"})
    operator = fields.String(load_default="=", validate=validate.OneOf(OPERATORS))
    value = fields.String(required=True, validate=validate.Length(max=1000), metadata={"example": "web"})


def _matchers(**said: Any) -> fields.List[Any]:
    return fields.List(fields.Nested(MatcherSchema), validate=validate.Length(1, 20), **said)


class InhibitionSchema(Schema):
    """Which alerts are muted while one of this rule fires."""

    matchers = _matchers(required=True)
    equal = fields.List(
        fields.String(validate=validate.Length(1, 100)),
        load_default=list,
        metadata={"description": "Labels that both must have the same", "example": ["node"]},
    )


class RouteSchema(Schema):
    """Where an alert is told."""

    kind = fields.String(required=True, validate=validate.OneOf(ROUTE_KINDS))
    to = fields.String(
        required=True,
        validate=validate.Length(1, 320),
        metadata={"description": "A room's or webhook's id, or an address"},
    )


class RuleReplacement(Schema):
    """An alert rule, whole; fields that are left out take their defaults."""

    name = fields.String(required=True, validate=validate.Length(1, 100), metadata={"example": "pods use much memory"})
    kind = fields.String(load_default="threshold", validate=validate.OneOf(KINDS))
    query = fields.String(
        required=True, validate=validate.Length(1, 2000), metadata={"example": "avg by (pod) (memory_usage)"}
    )
    operator = fields.String(load_default=">", validate=validate.OneOf(sorted(COMPARE)))
    threshold = fields.Float(load_default=0.0, metadata={"example": 90.0})
    window_seconds = _seconds(
        300, 1, 604_800, description="`absence`: so long without a value; `rate_of_change`: so far back"
    )
    percent = fields.Boolean(load_default=False, metadata={"description": "`rate_of_change` in percent"})
    for_seconds = _seconds(0, description="How long the condition must hold before it fires")
    keep_seconds = _seconds(0, description="How long it must not hold before it is over")
    interval_seconds = _seconds(60, 10, 3600)
    severity = fields.String(load_default="warning", validate=validate.OneOf(SEVERITIES))
    labels = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict, validate=_labels)
    title = fields.String(load_default="", validate=validate.Length(max=200), metadata={"example": "{{pod}} is full"})
    description = fields.String(load_default="", validate=validate.Length(max=2000))
    group_by = fields.List(
        fields.String(validate=validate.Length(1, 100)),
        load_default=lambda: ["alertname"],
        validate=validate.Length(max=20),
    )
    group_wait_seconds = _seconds(30, 0, 3600, description="How long the first alert of a group waits for others")
    group_interval_seconds = _seconds(300, 0, 86_400, description="Least time between two tellings of a group")
    repeat_seconds = _seconds(14_400, 60, 604_800, description="After how long the same is told again")
    inhibits = fields.Nested(InhibitionSchema, load_default=None, allow_none=True)
    routes = fields.List(fields.Nested(RouteSchema), load_default=list, validate=validate.Length(max=20))
    enabled = fields.Boolean(load_default=True)


class RuleChange(RuleReplacement):
    """What is changed of an alert rule; fields that are left out stay."""

    def __init__(self, **said: Any) -> None:
        super().__init__(**{"partial": True, **said})


class RuleCreation(RuleReplacement, PlaceSchema):
    """A new alert rule."""


class RuleSchema(RuleReplacement):
    """An alert rule."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it could not be worked out the last time"}
    )
    next_run_at = Timestamp(required=True)
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class RuleFilters(PlaceSchema):
    """What the list of rules can be narrowed by."""

    kind = fields.String(validate=validate.OneOf(KINDS))
    severity = fields.String(validate=validate.OneOf(SEVERITIES))
    enabled = fields.Boolean()
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In the name"})


class TrialRequest(PlaceSchema):
    """A rule to be tried on the past."""

    rule = fields.Nested(RuleReplacement, required=True)
    rule_id = fields.UUID(metadata={"description": "The rule that it would replace"})
    start = Moment(required=True, metadata={"description": "Epoch seconds or RFC 3339"})
    end = Moment(metadata={"description": "The same; now unless given"})


class TrialSchema(Schema):
    """A rule that is tried on the past; what came of it is the job's result."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    rule_id = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class AlertSchema(Schema):
    """An alert."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    rule_id = fields.UUID(required=True, allow_none=True)
    group_id = fields.UUID(required=True, allow_none=True)
    source = fields.String(required=True, validate=validate.OneOf(SOURCES))
    name = fields.String(required=True)
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    severity = fields.String(required=True, validate=validate.OneOf(SEVERITIES))
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    title = fields.String(required=True)
    description = fields.String(required=True)
    value = fields.Float(required=True, allow_none=True)
    pending_at = Timestamp(required=True)
    fired_at = Timestamp(required=True, allow_none=True)
    resolved_at = Timestamp(required=True, allow_none=True)
    told_at = Timestamp(required=True, allow_none=True, metadata={"description": "When it was last told"})
    acknowledged_at = Timestamp(required=True, allow_none=True)
    acknowledged_by = fields.UUID(required=True, allow_none=True)
    resolved_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)


class StepSchema(Schema):
    """A step of an alert's story."""

    at = Timestamp(required=True)
    step = fields.String(required=True, metadata={"example": "muted"})
    detail = fields.Dict(keys=fields.String(), required=True)


class StorySchema(AlertSchema):
    """An alert with its whole story."""

    why = fields.String(required=True, metadata={"description": "Why it was told, or was not"})
    story = fields.List(fields.Nested(StepSchema), required=True)


class AlertFilters(PlaceSchema):
    """What the list of alerts can be narrowed by."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    severity = fields.String(validate=validate.OneOf(SEVERITIES))
    source = fields.String(validate=validate.OneOf(SOURCES))
    rule_id = fields.UUID()
    group_id = fields.UUID()
    acknowledged = fields.Boolean()
    search = fields.String(validate=validate.Length(1, 100), metadata={"description": "In name or title"})


class SilenceReplacement(Schema):
    """A silence, whole."""

    kind = fields.String(load_default="silence", validate=validate.OneOf(["silence", "maintenance"]))
    matchers = _matchers(required=True)
    starts_at = Timestamp(required=True, metadata={"example": "2026-01-01T00:00:00Z"})
    ends_at = Timestamp(required=True, metadata={"example": "2026-01-01T02:00:00Z"})
    repeats = fields.String(load_default=None, allow_none=True, validate=validate.OneOf(list(REPEATS)))
    comment = fields.String(required=True, validate=validate.Length(1, 500), metadata={"example": "new disks"})


class SilenceCreation(SilenceReplacement, PlaceSchema):
    """A new silence."""


class SilenceChange(Schema):
    """What is changed of a silence."""

    matchers = _matchers()
    starts_at = Timestamp()
    ends_at = Timestamp()
    repeats = fields.String(allow_none=True, validate=validate.OneOf(list(REPEATS)))
    comment = fields.String(validate=validate.Length(1, 500))


class SilenceSchema(SilenceReplacement):
    """A silence."""

    id = fields.UUID(required=True)
    organization_id = fields.UUID(required=True)
    workspace_id = fields.UUID(required=True, allow_none=True)
    cluster_id = fields.UUID(required=True, allow_none=True)
    ended_at = Timestamp(required=True, allow_none=True, metadata={"description": "When somebody ended it"})
    created_by = fields.UUID(required=True, allow_none=True)
    created_at = Timestamp(required=True)
    updated_at = Timestamp(required=True)


class SilenceFilters(PlaceSchema):
    """What the list of silences can be narrowed by."""

    kind = fields.String(validate=validate.OneOf(["silence", "maintenance"]))


class ReceivedAlertSchema(Schema):
    """An alert of an Alertmanager; what else it says is passed over."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    status = fields.String(required=True, validate=validate.OneOf(["firing", "resolved"]))
    labels = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    annotations = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    starts_at = Timestamp(data_key="startsAt")
    ends_at = Timestamp(data_key="endsAt")
    generator_url = fields.String(data_key="generatorURL")

    @post_load
    def forget_no_time(self, one: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Alertmanager writes the year 1 for a time that there is not."""
        return {name: value for name, value in one.items() if not name.endswith("_at") or value.year >= 1970}


class ReceivedSchema(Schema):
    """What an Alertmanager's webhook sends."""

    class Meta(Schema.Meta):
        unknown = EXCLUDE

    version = fields.String(required=True, validate=validate.Equal("4"), metadata={"example": "4"})
    alerts = fields.List(fields.Nested(ReceivedAlertSchema), required=True, validate=validate.Length(max=5000))


class IngestedSchema(Schema):
    """What became of received alerts."""

    received = fields.Integer(required=True)
    fired = fields.Integer(required=True)
    refreshed = fields.Integer(required=True)
    resolved = fields.Integer(required=True)
