"""Plans of organizations: how many places in the queues each gives."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.kernel.events import announce
from app.tenancy.events import OrganizationUpdated
from app.tenancy.models import STANDARD, Organization


def change_plan(session: Session, organization: Organization, plan: str, places: Mapping[str, int]) -> Organization:
    """Give an organization another plan; `places` are those of each plan."""
    if organization.plan != plan:
        organization.plan = plan
        session.flush()
        session.refresh(organization)
        announce(session, OrganizationUpdated(organization.id, ("plan",)))
    jobs.set_places(session, places[plan], organization.id)
    return organization


def apply_plans(session: Session, places: Mapping[str, int]) -> None:
    """Let the places of each plan hold for all its organizations, those to come among them: they begin with the
    standard plan."""
    jobs.forget_places(session)
    jobs.set_places(session, places[STANDARD])
    others = select(Organization.id, Organization.plan).where(Organization.plan != STANDARD)
    for organization_id, plan in session.execute(others):
        jobs.set_places(session, places[plan], organization_id)
