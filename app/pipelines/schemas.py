"""Wire forms of pipelines, executions, logs and artifacts."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, validate, validates, validates_schema

from app.http import Schema, Timestamp
from app.pipelines.definition import DefinitionInvalid, parse_variables
from app.pipelines.models.execution import STAGE_STATUSES, STATUSES
from app.pipelines.run_schemas import StageApprovalSchema

VARIABLE_NAME = validate.Regexp(r"^[A-Za-z_][A-Za-z0-9_]{0,99}\Z", error="must be letters, digits and underscores")
BRANCH = validate.And(
    validate.Length(1, 255), validate.Regexp(r"^(?!-)[^\x00-\x20~^:?*\[\\]+\Z", error="is not a branch name")
)
COMMIT = validate.Regexp(r"^[0-9a-fA-F]{40}\Z", error="must be a full commit id of 40 hexadecimal digits")


class PipelineSchema(Schema):
    """A pipeline."""

    id = fields.UUID()
    organization_id = fields.UUID()
    workspace_id = fields.UUID()
    name = fields.String()
    description = fields.String(allow_none=True)
    definition = fields.Dict(keys=fields.String(), metadata={"description": "what the parser made of the source"})
    source = fields.String(metadata={"description": "the definition as it was sent"})
    source_format = fields.String(validate=validate.OneOf(["yaml", "json"]))
    executions_started = fields.Integer()
    created_by = fields.UUID(allow_none=True)
    updated_by = fields.UUID(allow_none=True, metadata={"description": "who replaced the definition last"})
    created_at = Timestamp()
    updated_at = Timestamp()


class ScheduleSchema(Schema):
    """A schedule of a pipeline's triggers."""

    id = fields.UUID()
    expression = fields.String()
    timezone = fields.String()
    next_at = Timestamp(allow_none=True)
    last_at = Timestamp(allow_none=True, metadata={"description": "when it was due last"})
    last_execution_id = fields.UUID(allow_none=True)
    reason = fields.String(allow_none=True, metadata={"description": "why nothing was started then"})
    created_at = Timestamp()


class PipelineFilterSchema(Schema):
    """Filters of a list of pipelines."""

    search = fields.String(validate=validate.Length(max=100), metadata={"description": "part of the name"})


class FaultSchema(Schema):
    """One fault of a definition."""

    path = fields.String(metadata={"example": "stages[1].steps[0].timeout"})
    line = fields.Integer(allow_none=True, metadata={"description": "counted from 1"})
    column = fields.Integer(allow_none=True)
    message = fields.String()


class ValidationSchema(Schema):
    """The verdict on a definition."""

    valid = fields.Boolean()
    name = fields.String(allow_none=True)
    stages = fields.List(fields.String(), metadata={"description": "the stages it would run, the matrix expanded"})
    faults = fields.List(fields.Nested(FaultSchema))


class StartSchema(Schema):
    """How to start an execution."""

    trigger = fields.String(load_default="manual", validate=validate.OneOf(["manual", "api"]))
    branch = fields.String(load_default=None, allow_none=True, validate=BRANCH)
    tag = fields.String(
        load_default=None, allow_none=True, validate=BRANCH, metadata={"description": "in place of a branch"}
    )
    commit_sha = fields.String(load_default=None, allow_none=True, validate=COMMIT)
    variables = fields.Dict(
        keys=fields.String(validate=VARIABLE_NAME),
        values=fields.String(validate=validate.Length(max=4096)),
        load_default=dict,
        validate=validate.Length(max=100),
    )

    @validates_schema
    def refuse_both(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse a branch and a tag together."""
        if data["branch"] is not None and data["tag"] is not None:
            raise ValidationError("is given beside a branch; give one of them", "tag")

    @validates("variables")
    def refuse_built_ins(self, value: dict[str, str], **_: Any) -> None:
        """Refuse the names that Headrace sets itself."""
        try:
            parse_variables(value, at_start=True)
        except DefinitionInvalid as error:
            raise ValidationError({fault.path.rpartition(".")[2]: [fault.message] for fault in error.faults}) from None


class ErrorSchema(Schema):
    """Why something failed."""

    code = fields.String()
    message = fields.String()
    details = fields.Dict(keys=fields.String())
    fingerprint = fields.String(metadata={"description": "the same for failures of one code at one place"})


class StepSchema(Schema):
    """A step of an execution."""

    id = fields.UUID()
    name = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    attempt = fields.Integer(metadata={"description": "times it was started"})
    reason = fields.String(allow_none=True)
    exit_code = fields.Integer(allow_none=True)
    signal = fields.Integer(allow_none=True)
    duration_seconds = fields.Float(allow_none=True)
    peak_memory_bytes = fields.Integer(allow_none=True)
    sandbox = fields.String(allow_none=True, metadata={"description": "how it was confined", "example": "bubblewrap"})
    started_at = Timestamp(allow_none=True)
    finished_at = Timestamp(allow_none=True)
    logs_url = fields.String()


class StageSchema(Schema):
    """A stage of an execution."""

    id = fields.UUID()
    name = fields.String()
    status = fields.String(validate=validate.OneOf(STAGE_STATUSES))
    attempt = fields.Integer()
    depends_on = fields.List(fields.String())
    job_id = fields.UUID(allow_none=True)
    environment_id = fields.UUID(allow_none=True, metadata={"description": "where it deploys to"})
    approval = fields.Nested(StageApprovalSchema, allow_none=True, metadata={"description": "the newest, if any"})
    runs_on = fields.List(
        fields.String(),
        metadata={"description": "labels of the runner that takes it; empty: any worker of the platform"},
    )
    runner = fields.String(allow_none=True, metadata={"description": "the name of the runner that took it last"})
    queue_position = fields.Integer(
        allow_none=True, metadata={"description": "while it waits for a runner: its place among its organization's"}
    )
    reason = fields.String(allow_none=True)
    error = fields.Nested(ErrorSchema, allow_none=True)
    started_at = Timestamp(allow_none=True)
    finished_at = Timestamp(allow_none=True)
    steps = fields.List(fields.Nested(StepSchema))


class PullRequestSchema(Schema):
    """The pull request an execution is of."""

    number = fields.Integer()
    branch = fields.String(metadata={"description": "where it comes from; in a fork anyone chooses the name"})
    base_branch = fields.String(metadata={"description": "where it is to go"})


class ExecutionSchema(Schema):
    """One run of a pipeline."""

    id = fields.UUID()
    organization_id = fields.UUID()
    workspace_id = fields.UUID()
    pipeline_id = fields.UUID()
    job_id = fields.UUID(allow_none=True)
    number = fields.Integer(metadata={"description": "counts the executions of the pipeline"})
    status = fields.String(validate=validate.OneOf(STATUSES))
    trigger = fields.String()
    branch = fields.String(
        allow_none=True, metadata={"description": "`pull/` and the number of a pull request; null for a tag"}
    )
    tag = fields.String(allow_none=True)
    commit_sha = fields.String(allow_none=True)
    pull_request = fields.Nested(PullRequestSchema, allow_none=True)
    trusted = fields.Boolean(metadata={"description": "false: code from a fork, whose steps get no secrets"})
    variables = fields.Dict(keys=fields.String(), values=fields.String())
    plan_digest = fields.String(metadata={"description": "SHA-256 of the frozen plan"})
    reason = fields.String(allow_none=True, metadata={"description": "why it waits, or what cancelled it"})
    error = fields.Nested(ErrorSchema, allow_none=True)
    concurrency_group = fields.String(allow_none=True)
    created_by = fields.UUID(allow_none=True)
    begun_by = fields.List(
        fields.UUID(),
        metadata={"description": "who began it, also through executions that led to it, or ran it again"},
    )
    created_at = Timestamp()
    started_at = Timestamp(allow_none=True)
    finished_at = Timestamp(allow_none=True)


class ExecutionDetailSchema(ExecutionSchema):
    """An execution with its stages and steps."""

    stages = fields.List(fields.Nested(StageSchema))
    queue_position = fields.Integer(
        allow_none=True, metadata={"description": "its place among those that wait in its concurrency group"}
    )


class ExecutionFilterSchema(Schema):
    """Filters of a list of executions."""

    status = fields.String(validate=validate.OneOf(STATUSES))
    branch = fields.String()
    trigger = fields.String()
    pipeline_id = fields.UUID()
    workspace_id = fields.UUID()


class LogQuerySchema(Schema):
    """What to read of a log."""

    after_seq = fields.Integer(load_default=0, validate=validate.Range(min=0))
    tail = fields.Integer(load_default=None, validate=validate.Range(1, 10_000))
    limit = fields.Integer(load_default=1000, validate=validate.Range(1, 10_000))
    attempt = fields.Integer(
        load_default=None, validate=validate.Range(min=1), metadata={"description": "by default the newest"}
    )
    follow = fields.Boolean(load_default=False, metadata={"description": "stream by server-sent events"})
    last_event_id = fields.String(load_default=None, metadata={"description": "resumes a stream, as Last-Event-ID"})


class LogLineSchema(Schema):
    """A line of a step's output."""

    seq = fields.Integer(metadata={"description": "counts from 1 within an attempt, without a gap"})
    timestamp = fields.String()
    stream = fields.String(validate=validate.OneOf(["stdout", "stderr", "system"]))
    level = fields.String()
    message = fields.String()


class LogSchema(Schema):
    """A part of a step's log."""

    logs = fields.List(fields.Nested(LogLineSchema))
    has_more = fields.Boolean(metadata={"description": "more lines are there now, or the step still runs"})
    attempt = fields.Integer()
    status = fields.String(validate=validate.OneOf(STATUSES), metadata={"description": "the step's"})


class ArtifactSchema(Schema):
    """A file an execution kept."""

    id = fields.UUID()
    name = fields.String()
    stage = fields.String(attribute="stage_name")
    size = fields.Integer(metadata={"description": "bytes"})
    sha256 = fields.String()
    content_type = fields.String()
    created_at = Timestamp()
    url = fields.String()
