"""Which jobs a caller may see, and the filters of the list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, false, or_, select

from app.jobs.models import Job
from app.kernel.principal import Principal

READ = "jobs:read"
EQUAL = ("kind", "status", "queue", "resource_type", "resource_id", "organization_id")


def visible_jobs(caller: Principal, permission: str = READ) -> Select[Job]:
    """Select the jobs of the caller's organizations and those the caller started; an administrator sees all."""
    jobs = select(Job)
    if caller.is_admin:
        return jobs
    organizations = caller.organizations_with(permission)
    in_theirs = Job.organization_id.in_(organizations) if organizations else false()
    own = Job.organization_id.is_(None) & (Job.created_by == caller.user_id)
    return jobs.where(or_(in_theirs, own))


def filter_jobs(jobs: Select[Job], filters: Mapping[str, Any]) -> Select[Job]:
    """Apply the filters of GET /jobs."""
    for name in EQUAL:
        if name in filters:
            jobs = jobs.where(getattr(Job, name) == filters[name])
    if "created_after" in filters:
        jobs = jobs.where(Job.created_at >= filters["created_after"])
    if "created_before" in filters:
        jobs = jobs.where(Job.created_at < filters["created_before"])
    if "error_code" in filters:
        jobs = jobs.where(Job.error["code"].astext == filters["error_code"])
    return jobs
