"""Tests: what an execution's runners reported, and which tests of a pipeline are flaky or slow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, requires, transaction
from app.pipelines import reports
from app.pipelines.models import Execution, Pipeline, ReportedTest
from app.pipelines.report_schemas import (
    FlakyTestSchema,
    SlowTestSchema,
    TestFilterSchema,
    TestSchema,
    TestSummarySchema,
    WindowSchema,
)
from app.pipelines.routes.base import blueprint

SORT = {"position": ReportedTest.position, "name": ReportedTest.name, "seconds": ReportedTest.seconds}


@blueprint.route("/executions/<uuid:execution_id>/tests")
class Tests(MethodView):
    """The tests of an execution."""

    @blueprint.paged(TestSchema, filters=TestFilterSchema, sort=SORT, default="position")
    @requires("executions:read")
    def get(self, filters: dict[str, Any], execution_id: UUID) -> Select[ReportedTest]:
        """List the tests that the stages' newest attempts reported, in the order of the reports."""
        with transaction() as session:
            load(session, Execution, execution_id)
        return reports.select_tests(execution_id, filters)


@blueprint.route("/executions/<uuid:execution_id>/tests/summary")
class TestSummary(MethodView):
    """The tests of an execution, counted."""

    @blueprint.response(200, TestSummarySchema)
    @requires("executions:read")
    def get(self, execution_id: UUID) -> dict[str, Any]:
        """Count the tests, altogether and by stage, and name the reports that could not be read."""
        with transaction() as session:
            load(session, Execution, execution_id)
            return reports.summarize(session, execution_id)


@blueprint.route("/pipelines/<uuid:pipeline_id>/tests/flaky")
class FlakyTests(MethodView):
    """Flaky tests."""

    @blueprint.arguments(WindowSchema, location="query")
    @blueprint.response(200, FlakyTestSchema(many=True))
    @requires("executions:read")
    def get(self, query: dict[str, Any], pipeline_id: UUID) -> list[dict[str, Any]]:
        """List the tests that passed and did not pass of one commit, worst first."""
        with transaction() as session:
            load(session, Pipeline, pipeline_id)
            return reports.find_flaky(session, pipeline_id, **query)


@blueprint.route("/pipelines/<uuid:pipeline_id>/tests/slowest")
class SlowestTests(MethodView):
    """Slow tests."""

    @blueprint.arguments(WindowSchema, location="query")
    @blueprint.response(200, SlowTestSchema(many=True))
    @requires("executions:read")
    def get(self, query: dict[str, Any], pipeline_id: UUID) -> list[dict[str, Any]]:
        """List the tests that take longest, by the mean of the newest runs."""
        with transaction() as session:
            load(session, Pipeline, pipeline_id)
            return reports.find_slowest(session, pipeline_id, **query)
