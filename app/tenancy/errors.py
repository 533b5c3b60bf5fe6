"""Why something in tenancy is refused."""

from __future__ import annotations

from app.kernel.errors import AlreadyExists, Conflict


class SlugTaken(AlreadyExists):
    """There is one with this slug already."""


class WorkspaceInUse(Conflict):
    """Something runs in this workspace; cancel it or wait for its end."""

    code = "RESOURCE_IN_USE"
