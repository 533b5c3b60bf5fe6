"""Phases of a deletion: namespaces go, and it is told what holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.phases import Wait
from tasks.tenancy.objects import remove_namespace
from tasks.tenancy.phases.base import Site


@dataclass(frozen=True, slots=True)
class Remove:
    """Namespaces that are gone; what was deleted does not come back. The end of some is asked for `ahead`: they go at
    the same time."""

    site: Site
    which: Callable[[Site], Sequence[str]]
    ahead: Callable[[Site], Sequence[str]] = lambda _: ()

    def ensure(self) -> Wait | None:
        """Ask for the end of all of them, then wait for each."""
        workspace_id = self.site.look().own.workspace_id
        for name in self.ahead(self.site):
            remove_namespace(self.site.cluster, name, workspace_id)
        holding = [remove_namespace(self.site.cluster, name, workspace_id) for name in self.which(self.site)]
        told = "; ".join(one for one in holding if one is not None)
        return Wait(told[:1000]) if told else None

    def undo(self) -> Wait | None:
        """There is nothing to bring back."""
        return None


def of_projects(site: Site) -> list[str]:
    """Return the namespaces of a workspace's projects."""
    return [space.name for space in site.look().projects]


def of_all(site: Site) -> list[str]:
    """Return all that a workspace has."""
    return [*of_projects(site), *of_workspace(site), *of_accounts(site)]


def of_workspace(site: Site) -> list[str]:
    """Return the workspace's own."""
    return [site.look().own.name]


def of_accounts(site: Site) -> list[str]:
    """Return the namespace of its members' accounts."""
    return [site.look().own.access]


def of_project(site: Site) -> list[str]:
    """Return the namespace of the project that the operation is about."""
    return [site.space.name]
