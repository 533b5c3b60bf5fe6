"""Wire forms of tests and their reports."""

from __future__ import annotations

from marshmallow import fields, validate

from app.http import Schema, Timestamp
from app.pipelines.models.report import OUTCOMES


class TestSchema(Schema):
    """One test, as a runner's report tells of it."""

    stage = fields.String(attribute="stage_name")
    attempt = fields.Integer(metadata={"description": "of the stage"})
    suite = fields.String()
    class_name = fields.String()
    name = fields.String()
    file = fields.String(allow_none=True)
    status = fields.String(validate=validate.OneOf(OUTCOMES))
    seconds = fields.Float()
    flaky = fields.Boolean(metadata={"description": "the runner tried it again, and it passed"})
    message = fields.String(allow_none=True)
    output = fields.String(allow_none=True, metadata={"description": "of what did not pass: its trace and output, cut"})


class TestFilterSchema(Schema):
    """Filters of a list of tests."""

    status = fields.String(validate=validate.OneOf(OUTCOMES))
    stage = fields.String()
    flaky = fields.Boolean()
    search = fields.String(
        validate=validate.Length(1, 200), metadata={"description": "part of the name, class, suite or file"}
    )


class ReportFaultSchema(Schema):
    """A report that could not be read, or not whole."""

    file = fields.String()
    reason = fields.String()


class CountsSchema(Schema):
    """How many tests ended how."""

    passed = fields.Integer()
    failed = fields.Integer()
    error = fields.Integer()
    skipped = fields.Integer()
    seconds = fields.Float(metadata={"description": "all tests together"})


class ReportSchema(CountsSchema):
    """The tests of one stage."""

    stage = fields.String(attribute="stage_name")
    attempt = fields.Integer()
    faults = fields.List(fields.Nested(ReportFaultSchema))
    created_at = Timestamp()


class TestSummarySchema(CountsSchema):
    """The tests of an execution: of each stage its newest attempt."""

    total = fields.Integer()
    stages = fields.List(fields.Nested(ReportSchema))


class WindowSchema(Schema):
    """How far back to look."""

    runs = fields.Integer(
        load_default=50, validate=validate.Range(2, 200), metadata={"description": "the newest executions with tests"}
    )
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class NamedTestSchema(Schema):
    """A test in several runs."""

    stage = fields.String(attribute="stage_name")
    suite = fields.String()
    class_name = fields.String()
    name = fields.String()
    file = fields.String(allow_none=True)
    runs = fields.Integer(metadata={"description": "how often it was run"})


class FlakyTestSchema(NamedTestSchema):
    """A test that passed and did not pass of one commit."""

    failures = fields.Integer()
    commits = fields.Integer()
    flaky_commits = fields.Integer(metadata={"description": "commits of which it did both"})
    rate = fields.Float(metadata={"description": "flaky_commits / commits"})
    last_failed_at = Timestamp(metadata={"description": "start of the newest execution in which it did not pass"})


class SlowTestSchema(NamedTestSchema):
    """What a test takes."""

    mean_seconds = fields.Float()
    longest_seconds = fields.Float()
    total_seconds = fields.Float()
