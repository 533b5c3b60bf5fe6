"""Which jobs a caller may see, and the filters of the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, false, literal_column, or_, select

from app.jobs.models import FAILED, Job
from app.kernel.principal import Principal
from app.kernel.visibility import visible

READ = "jobs:read"
EQUAL = ("kind", "queue", "resource_type", "resource_id", "organization_id")


def visible_jobs(caller: Principal, permission: str = READ) -> Select[Job]:
    """Select the jobs of the caller's places, and those of no place that the caller started."""
    own = Job.organization_id.is_(None) & (Job.created_by == caller.user_id) if caller.holds_account else false()
    in_theirs = visible(caller, permission, Job.organization_id, Job.workspace_id, Job.cluster_id)
    return select(Job).where(or_(in_theirs, own) if caller.permits(permission) else false())


def filter_jobs(jobs: Select[Job], filters: Mapping[str, Any]) -> Select[Job]:
    """Apply the filters of GET /jobs."""
    for name in EQUAL:
        if name in filters:
            jobs = jobs.where(getattr(Job, name) == filters[name])
    if "status" in filters:
        jobs = jobs.where(_is(filters["status"]))
    if "created_after" in filters:
        jobs = jobs.where(Job.created_at >= filters["created_after"])
    if "created_before" in filters:
        jobs = jobs.where(Job.created_at < filters["created_before"])
    if "error_code" in filters:
        jobs = jobs.where(_is(FAILED), literal_column("jobs.error ->> 'code'") == filters["error_code"])
    if "fingerprint" in filters:
        jobs = jobs.where(_is(FAILED), Job.fingerprint == filters["fingerprint"])
    return jobs


def _is(status: str) -> ColumnElement[bool]:
    """Write the status into the statement: the planner must know it, to take a partial index."""
    return Job.status == bindparam(None, status, literal_execute=True)
