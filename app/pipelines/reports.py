"""The tests of executions: recorded by workers, listed, and compared across runs. Nothing here commits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, delete, func, insert, or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.kernel.ids import new_id
from app.pipelines.models import Execution, Report, ReportedTest
from app.pipelines.models.report import ERROR, FAILED, OUTCOMES, PASSED, SKIPPED
from app.pipelines.recording import Briefing

Row = dict[str, Any]

_NAMES = ("stage_name", "suite", "class_name", "name", "file")
_BAD = ReportedTest.status.in_((FAILED, ERROR))


def record_report(
    session: Session, briefing: Briefing, cases: Sequence[Mapping[str, Any]], faults: list[dict[str, str]]
) -> None:
    """Write what one attempt of a stage reported, in the place of what it reported before."""
    session.execute(delete(Report).where(Report.stage_id == briefing.stage_id, Report.attempt == briefing.attempt))
    counts = Counter(one["status"] for one in cases)
    report = Report(
        id=new_id(),
        organization_id=briefing.organization_id,
        execution_id=briefing.execution_id,
        stage_id=briefing.stage_id,
        stage_name=briefing.planned.name,
        attempt=briefing.attempt,
        seconds=sum(one["seconds"] for one in cases),
        faults=faults,
        **{status: counts[status] for status in OUTCOMES},
    )
    session.add(report)
    session.flush()
    shared = {"report_id": report.id, "stage_name": report.stage_name, "attempt": report.attempt}
    rows = [
        {**one, **shared, "position": position, "identity": _identify(report.stage_name, one)}
        for position, one in enumerate(cases)
    ]
    if rows:
        session.execute(insert(table_of(ReportedTest)), rows)


def _identify(stage_name: str, one: Mapping[str, Any]) -> str:
    named = "\0".join((stage_name, one["suite"], one["class_name"], one["name"]))
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def newest_reports(execution_id: UUID) -> Select[Report]:
    """Select, for each stage of an execution, what its newest attempt reported."""
    return (
        select(Report)
        .where(Report.execution_id == execution_id)
        .ext(distinct_on(Report.stage_id))
        .order_by(Report.stage_id, Report.attempt.desc())
    )


def select_tests(execution_id: UUID, filters: Mapping[str, Any]) -> Select[ReportedTest]:
    """Select the tests of an execution's newest reports; filters are `status`, `stage`, `search` and `flaky`."""
    reports = newest_reports(execution_id).subquery()
    tests = select(ReportedTest).where(ReportedTest.report_id.in_(select(reports.c.id)))
    for name, column in (("status", ReportedTest.status), ("flaky", ReportedTest.flaky)):
        if name in filters:
            tests = tests.where(column == filters[name])
    if "stage" in filters:
        tests = tests.where(ReportedTest.stage_name == filters["stage"])
    if "search" in filters:
        tests = tests.where(_names(filters["search"]))
    return tests


def _names(part: str) -> ColumnElement[bool]:
    columns = (ReportedTest.name, ReportedTest.class_name, ReportedTest.suite, ReportedTest.file)
    return or_(*(column.icontains(part, autoescape=True) for column in columns))


def summarize(session: Session, execution_id: UUID) -> Row:
    """Count the tests of an execution, altogether and by stage, and tell which reports could not be read."""
    reports = sorted(session.scalars(newest_reports(execution_id)), key=lambda report: report.created_at)
    totals: Row = {name: sum(getattr(report, name) for report in reports) for name in (*OUTCOMES, "seconds")}
    return {"total": sum(totals[name] for name in OUTCOMES), **totals, "stages": reports}


def find_flaky(session: Session, pipeline_id: UUID, *, runs: int, limit: int) -> list[Row]:
    """Return the tests that both passed and did not pass of one commit, in the newest `runs` executions, worst first.

    A test that the runner itself had to try again counts too.
    """
    recent = _recent(pipeline_id, runs)
    suspects = select(ReportedTest.identity).join(recent, recent.c.report_id == ReportedTest.report_id)
    by_commit = (
        select(
            *_named(),
            recent.c.commit_sha,
            func.count().label("runs"),
            func.count().filter(_BAD).label("failures"),
            _as_number(
                or_(and_(_any(_BAD), _any(ReportedTest.status == PASSED)), func.bool_or(ReportedTest.flaky))
            ).label("flaky"),
            func.max(recent.c.created_at).filter(or_(_BAD, ReportedTest.flaky)).label("failed_at"),
        )
        .join(recent, recent.c.report_id == ReportedTest.report_id)
        .where(ReportedTest.status != SKIPPED)
        .where(ReportedTest.identity.in_(suspects.where(or_(_BAD, ReportedTest.flaky))))
        .group_by(ReportedTest.identity, recent.c.commit_sha)
        .subquery()
    )
    given = by_commit.c
    names = [func.max(given[name]).label(name) for name in _NAMES]
    flaky, commits = func.sum(given.flaky), func.count()
    found = (
        select(
            *names,
            func.sum(given.runs).label("runs"),
            func.sum(given.failures).label("failures"),
            commits.label("commits"),
            flaky.label("flaky_commits"),
            (flaky * 1.0 / commits).label("rate"),
            func.max(given.failed_at).label("last_failed_at"),
        )
        .group_by(given.identity)
        .having(flaky > 0)
        .order_by((flaky * 1.0 / commits).desc(), func.max(given.failed_at).desc(), given.identity)
    )
    return [dict(row) for row in session.execute(found.limit(limit)).mappings()]


def find_slowest(session: Session, pipeline_id: UUID, *, runs: int, limit: int) -> list[Row]:
    """Return the tests of the newest `runs` executions by the mean of their time, slowest first; seconds."""
    recent = _recent(pipeline_id, runs)
    mean = func.avg(ReportedTest.seconds)
    found = (
        select(
            *_named(),
            func.count().label("runs"),
            mean.label("mean_seconds"),
            func.max(ReportedTest.seconds).label("longest_seconds"),
            func.sum(ReportedTest.seconds).label("total_seconds"),
        )
        .join(recent, recent.c.report_id == ReportedTest.report_id)
        .where(ReportedTest.status != SKIPPED)
        .group_by(ReportedTest.identity)
        .order_by(mean.desc(), ReportedTest.identity)
    )
    return [dict(row) for row in session.execute(found.limit(limit)).mappings()]


def _recent(pipeline_id: UUID, runs: int) -> Any:
    """Select the reports of a pipeline's newest executions, with the commit each is of."""
    executions = (
        select(Execution.id, Execution.commit_sha, Execution.created_at)
        .where(Execution.pipeline_id == pipeline_id)
        .where(select(Report.id).where(Report.execution_id == Execution.id).exists())
        .order_by(Execution.created_at.desc(), Execution.id.desc())
        .limit(runs)
        .subquery()
    )
    return (
        select(Report.id.label("report_id"), executions.c.commit_sha, executions.c.created_at)
        .join(executions, executions.c.id == Report.execution_id)
        .subquery()
    )


def _named() -> list[ColumnElement[Any]]:
    """What names a test; all but its file is part of its identity."""
    return [
        ReportedTest.identity.label("identity"),
        *(func.max(getattr(ReportedTest, name)).label(name) for name in _NAMES),
    ]


def _any(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return func.bool_or(condition)


def _as_number(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)
