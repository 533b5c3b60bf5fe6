"""Why something in tenancy is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from app.kernel.errors import AlreadyExists, Conflict, Forbidden, Invalid, Permanent


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


class WorkspaceNotReady(Conflict):
    """The workspace has no usable place on a cluster now."""

    code = "WORKSPACE_NOT_READY"


class WorkspaceSuspended(Forbidden):
    """The workspace is suspended; resume it first."""

    code = "WORKSPACE_SUSPENDED"


class OperationRuns(Conflict):
    """Something is being done to this workspace on its cluster already; wait for it, or cancel its job."""


class HostNotReady(Conflict):
    """The cluster cannot be used now."""


class QuotaExceeded(Invalid):
    """This is more than there is left."""

    code = "QUOTA_EXCEEDED"


class NamespaceNotOurs(Permanent):
    """The cluster has a namespace of this name that is not this workspace's; it is left alone."""

    code = "NAMESPACE_NOT_OURS"


class BelowUse(Permanent):
    """More is used now than would be allowed."""

    code = "QUOTA_BELOW_USE"


@contextmanager
def refuse_taken_slug(constraint: str) -> Iterator[None]:
    """Raise SlugTaken where the database refuses a slug by this constraint."""
    try:
        yield
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != constraint:
            raise
        raise SlugTaken(field="slug") from error
