"""Workspaces, made as the service makes them."""

from __future__ import annotations

from typing import Any

from app.kernel.db import Database
from app.tenancy import RepositoryRules, Workspace, create_workspace
from tests.support.identity import Person

ANYTHING = RepositoryRules(allow_file=True, allow_private=True)


def make_workspace(database: Database, owner: Person, name: str = "Web shop", **fields: Any) -> Workspace:
    """Make a workspace in a person's own organization, from any repository."""
    with database.transaction() as session:
        return create_workspace(session, owner.organization_id, owner.user.id, {"name": name, **fields}, ANYTHING)
