"""Why something in tenancy is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.kernel.errors import AlreadyExists, Conflict


class SlugTaken(AlreadyExists):
    """There is one with this slug already."""


class WorkspaceInUse(Conflict):
    """Something runs in this workspace; cancel it or wait for its end."""

    code = "RESOURCE_IN_USE"


class OrganizationInUse(Conflict):
    """There are workspaces in this organization; delete them first."""

    code = "RESOURCE_IN_USE"


class PersonalOrganization(Conflict):
    """This is somebody's personal organization."""


class OwnerStays(Conflict):
    """The owner cannot be removed or given another role; make somebody else the owner first."""


class InvitationOver(Conflict):
    """This invitation was used or cancelled, or its time is over."""


@contextmanager
def refuse_taken_slug(constraint: str) -> Iterator[None]:
    """Raise SlugTaken where the database refuses a slug by this constraint."""
    try:
        yield
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != constraint:
            raise
        raise SlugTaken(field="slug") from error
