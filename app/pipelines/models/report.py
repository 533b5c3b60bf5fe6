"""What test runners told of their tests, read from the reports of a stage."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, Integer, UniqueConstraint, false, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.kernel.db import Base

PASSED: Final = "passed"
FAILED: Final = "failed"
ERROR: Final = "error"
SKIPPED: Final = "skipped"
OUTCOMES: Final = (PASSED, FAILED, ERROR, SKIPPED)


class Report(Base):
    """The tests of one attempt of a stage, counted; `faults` name the files that could not be read, and why."""

    __tablename__ = "test_runs"
    __table_args__ = (UniqueConstraint("stage_id", "attempt"), Index("ix_test_runs_execution_id", "execution_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    execution_id: Mapped[UUID] = mapped_column(ForeignKey("executions.id", ondelete="CASCADE"))
    stage_id: Mapped[UUID] = mapped_column(ForeignKey("stages.id", ondelete="CASCADE"))
    stage_name: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    passed: Mapped[int] = mapped_column(Integer)
    failed: Mapped[int] = mapped_column(Integer)
    error: Mapped[int] = mapped_column(Integer)
    skipped: Mapped[int] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    faults: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class ReportedTest(Base):
    """One test of a report. `identity` is the same for the same test of the same stage in every run.

    `flaky` is set where the runner itself tried it again and it passed.
    """

    __tablename__ = "test_cases"
    __table_args__ = (
        CheckConstraint(f"status IN {OUTCOMES}", name="status"),
        Index("ix_test_cases_identity", "identity", "report_id"),
        Index("ix_test_cases_status", "report_id", "status"),
    )

    report_id: Mapped[UUID] = mapped_column(ForeignKey("test_runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    stage_name: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    identity: Mapped[str]
    suite: Mapped[str]
    class_name: Mapped[str]
    name: Mapped[str]
    file: Mapped[str | None]
    status: Mapped[str]
    seconds: Mapped[float] = mapped_column(Float)
    message: Mapped[str | None]
    output: Mapped[str | None]
    flaky: Mapped[bool] = mapped_column(server_default=false())
