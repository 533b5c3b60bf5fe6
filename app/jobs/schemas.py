"""Wire forms of jobs."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.http import Schema, Timestamp
from app.jobs.bulk import ACTIONS
from app.jobs.models import STATUSES


class ProgressSchema(Schema):
    """How far a job is."""

    percent = fields.Float(metadata={"description": "0 to 100; never falls within an attempt", "example": 40.0})
    current = fields.Integer(allow_none=True, metadata={"description": "units done"})
    total = fields.Integer(allow_none=True, metadata={"description": "units there are"})
    phase = fields.String(allow_none=True, metadata={"description": "what is being done now"})
    message = fields.String(allow_none=True)


class ResourceSchema(Schema):
    """What a job concerns."""

    type = fields.String(metadata={"example": "execution"})
    id = fields.String()


class JobErrorSchema(Schema):
    """Why a job failed."""

    code = fields.String(metadata={"example": "REPOSITORY_NOT_FOUND"})
    message = fields.String()
    details = fields.Dict(keys=fields.String())
    fingerprint = fields.String(
        metadata={"description": "the same for failures of one code at one place", "example": "0f6c1f2f8f0b9b1e"}
    )


class JobSchema(Schema):
    """A piece of long work."""

    id = fields.UUID()
    kind = fields.String(metadata={"example": "pipelines.execute"})
    queue = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    progress = fields.Nested(ProgressSchema)
    queue_position = fields.Integer(
        allow_none=True,
        metadata={"description": "its place in the queue while it waits, from 1; told where one job is read"},
    )
    attempt = fields.Integer(metadata={"description": "times it was started"})
    max_attempts = fields.Integer()
    resource = fields.Nested(ResourceSchema, allow_none=True)
    result = fields.Dict(keys=fields.String(), allow_none=True)
    error = fields.Nested(JobErrorSchema, allow_none=True)
    organization_id = fields.UUID(allow_none=True)
    created_by = fields.UUID(allow_none=True)
    created_at = Timestamp()
    scheduled_for = Timestamp()
    started_at = Timestamp(allow_none=True)
    finished_at = Timestamp(allow_none=True)
    cancel_requested_at = Timestamp(allow_none=True)


class AcceptedJobSchema(JobSchema):
    """A job that was just accepted or asked to change; `job_id` is its own id, as in every 202."""

    job_id = fields.UUID()


class JobChangeSchema(Schema):
    """One change of a job's status."""

    at = Timestamp()
    from_status = fields.String(allow_none=True, validate=validate.OneOf(STATUSES))
    to_status = fields.String(validate=validate.OneOf(STATUSES))
    attempt = fields.Integer()
    seconds = fields.Float(
        allow_none=True, metadata={"description": "how long it was in the status before; in `queued`, since it was due"}
    )
    actor = fields.UUID(allow_none=True, metadata={"description": "the user who asked for it"})
    worker = fields.String(allow_none=True)
    code = fields.String(allow_none=True, metadata={"description": "of the error, when it failed"})
    reason = fields.String(allow_none=True)


class JobFilterSchema(Schema):
    """Filters of GET /jobs."""

    kind = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    queue = fields.String()
    resource_type = fields.String()
    resource_id = fields.UUID()
    organization_id = fields.UUID()
    created_after = fields.AwareDateTime()
    created_before = fields.AwareDateTime()
    error_code = fields.String(metadata={"description": "failed with this code, such as STAGE_FAILED"})
    fingerprint = fields.String(metadata={"description": "failed alike: the fingerprint of an error"})


class FailureFilterSchema(Schema):
    """Filters of GET /jobs/failures."""

    since = fields.AwareDateTime(metadata={"description": "failed at or after this; seven days ago unless given"})
    limit = fields.Integer(
        load_default=20, validate=validate.Range(1, 100), metadata={"description": "the most frequent so many"}
    )
    kind = fields.String()
    queue = fields.String()
    organization_id = fields.UUID()
    error_code = fields.String()


class FailureGroupSchema(Schema):
    """Failures with one fingerprint: one code at one place."""

    fingerprint = fields.String()
    code = fields.String(metadata={"example": "STAGE_FAILED"})
    kind = fields.String(metadata={"example": "pipelines.run_stage"})
    where = fields.String(
        allow_none=True,
        metadata={"description": "the place in the job: stage and step, or a function", "example": "build/compile"},
    )
    message = fields.String(metadata={"description": "of the newest"})
    count = fields.Integer()
    first_seen = Timestamp()
    last_seen = Timestamp()
    job_ids = fields.List(fields.UUID(), metadata={"description": "the newest three"})


class BulkFilterSchema(JobFilterSchema):
    """Which jobs to move: the filters of GET /jobs."""


class BulkSchema(Schema):
    """What POST /jobs/bulk is asked."""

    action = fields.String(required=True, validate=validate.OneOf(ACTIONS))
    filter = fields.Nested(BulkFilterSchema, load_default=dict)
    all = fields.Boolean(
        load_default=False, metadata={"description": "must be said when the filter is empty: all jobs you may move"}
    )
    dry_run = fields.Boolean(load_default=False, metadata={"description": "only tell what would be moved"})
    rate = fields.Integer(
        load_default=20, validate=validate.Range(1, 1000), metadata={"description": "jobs a second, at most"}
    )

    @validates_schema
    def _say_all(self, data: dict[str, Any], **_: Any) -> None:
        if not data["filter"] and not data["all"]:
            raise ValidationError("Give at least one field, or say `all`: true.", "filter")


class BulkPreviewSchema(Schema):
    """What a bulk job would move, if it were accepted now."""

    count = fields.Integer()
    count_capped = fields.Boolean(metadata={"description": "whether there are more than `count`"})
    job_ids = fields.List(fields.UUID(), metadata={"description": "the first of them"})


class WaitSchema(Schema):
    """How GET /jobs/{id} waits."""

    wait = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 60),
        metadata={"description": "hold the reply for so many seconds, until the job changes or ends"},
    )
