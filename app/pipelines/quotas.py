"""How many executions of an organization may be unfinished, by its plan. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, text
from sqlalchemy.orm import Session

from app.kernel.db import table_of
from app.kernel.errors import Conflict
from app.pipelines.models import Execution, PlanQuota
from app.tenancy import Organization

_EXECUTIONS, _QUOTAS, _ORGANIZATIONS = table_of(Execution), table_of(PlanQuota), table_of(Organization)
_UNFINISHED = (
    select(func.count())
    .where(
        _EXECUTIONS.c.organization_id == bindparam("organization_id"),
        _EXECUTIONS.c.status.in_((text("'queued'"), text("'running'"))),
    )
    .scalar_subquery()
)
# Of a plan that sets no limit nothing is counted.
_STANDING = (
    select(_QUOTAS.c.executions, _UNFINISHED)
    .join(_ORGANIZATIONS, _ORGANIZATIONS.c.plan == _QUOTAS.c.plan)
    .where(_ORGANIZATIONS.c.id == bindparam("organization_id"), _QUOTAS.c.executions > 0)
)


class QuotaExceeded(Conflict):
    """The organization has as many unfinished executions as its plan allows."""

    code = "QUOTA_EXCEEDED"
    status = 422


def apply_quotas(session: Session, executions: Mapping[str, int]) -> None:
    """Let these numbers hold, by plan; 0 sets no limit."""
    session.execute(delete(PlanQuota))
    session.execute(insert(PlanQuota), [{"plan": plan, "executions": most} for plan, most in executions.items()])


def check_quota(session: Session, organization_id: UUID) -> None:
    """Raise QuotaExceeded for an organization that may start no other execution.

    It is counted without a lock, so those that start in the same moment may be a few too many: a lock would let all
    starts of an organization wait for each other.
    """
    standing = session.execute(_STANDING, {"organization_id": organization_id}).one_or_none()
    if standing is None:
        return
    most, unfinished = standing
    if unfinished >= most:
        raise QuotaExceeded(
            f"The organization has {unfinished} unfinished executions; its plan allows {most}.",
            limit=most,
            unfinished=unfinished,
        )
