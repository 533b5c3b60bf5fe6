"""How many executions of an organization may be unfinished, by its plan. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, case, delete, func, insert, select, text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.kernel.errors import Conflict
from app.pipelines.models import Execution, PlanQuota
from app.tenancy import Organization

_EXECUTIONS, _QUOTAS, _ORGANIZATIONS = table_of(Execution), table_of(PlanQuota), table_of(Organization)


def standing_of(organization_id: ColumnElement[Any]) -> tuple[ColumnElement[int | None], ColumnElement[int | None]]:
    """Return, for queries, how many executions an organization may have, and how many are unfinished; of one whose plan
    sets no limit nothing is counted."""
    most = (
        select(_QUOTAS.c.executions)
        .join(_ORGANIZATIONS, _ORGANIZATIONS.c.plan == _QUOTAS.c.plan)
        .where(_ORGANIZATIONS.c.id == organization_id)
        .scalar_subquery()
    )
    unfinished = (
        select(func.count())
        .select_from(_EXECUTIONS)
        # Constants, so that a statement that was prepared finds the partial index.
        .where(_EXECUTIONS.c.organization_id == organization_id, text("executions.status IN ('queued', 'running')"))
        .scalar_subquery()
    )
    return most, case((most > 0, unfinished))


class QuotaExceeded(Conflict):
    """The organization has as many unfinished executions as its plan allows."""

    code = "QUOTA_EXCEEDED"
    status = 422


def apply_quotas(session: Session, executions: Mapping[str, int]) -> None:
    """Let these numbers hold, by plan; 0 sets no limit."""
    session.execute(delete(PlanQuota))
    session.execute(insert(PlanQuota), [{"plan": plan, "executions": most} for plan, most in executions.items()])


def check_quota(session: Session, organization_id: UUID) -> None:
    """Raise QuotaExceeded for an organization that may have no other unfinished execution."""
    refuse_beyond(*session.execute(_STANDING, {"organization_id": organization_id}).one())


_STANDING = select(*standing_of(bindparam("organization_id", type_=PG_UUID(as_uuid=True))))


def refuse_beyond(most: int | None, unfinished: int | None) -> None:
    """Raise QuotaExceeded for an organization that stands so.

    It was counted without a lock, so of those that start in the same moment a few may be too many: a lock would let all
    starts of an organization wait for each other.
    """
    if most and unfinished is not None and unfinished >= most:
        raise QuotaExceeded(
            f"The organization has {unfinished} unfinished executions; its plan allows {most}.",
            limit=most,
            unfinished=unfinished,
        )
