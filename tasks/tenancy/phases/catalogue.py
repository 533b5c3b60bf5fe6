"""Which phase of a course is what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.tenancy import courses
from tasks.phases import Phase
from tasks.tenancy.phases.base import Site
from tasks.tenancy.phases.places import Accounts, Labels, Namespace, NetworkPolicy, Quota, Rest, Roles, Share
from tasks.tenancy.phases.removal import Remove, of_accounts, of_all, of_project, of_projects, of_workspace
from tasks.tenancy.phases.sleep import Freeze, Reverse, ScaleDown
from tasks.tenancy.phases.trying import CleanUp, Verify
from tasks.tenancy.phases.virtual import (
    ControlPlane,
    Kubeconfig,
    RemovePods,
    VirtualCleanUp,
    VirtualMembers,
    VirtualVerify,
)

Make = Callable[[Site], Phase]

_NEW: Final[Mapping[str, Make]] = {
    "namespace": Namespace,
    "quota": Quota,
    "network_policy": NetworkPolicy,
    "accounts": Accounts,
    "roles": Roles,
    "verify": Verify,
    "control_plane": ControlPlane,
    "kubeconfig": Kubeconfig,
    "virtual_members": VirtualMembers,
    "virtual_verify": VirtualVerify,
    "virtual_clean_up": VirtualCleanUp,
    "remove_pods": RemovePods,
    "clean_up": CleanUp,
    "parent_quota": lambda site: Share(site, of_parent=True),
    "parent_lowered": lambda site: Share(site, of_parent=True, only_lowers=True),
    "parent_raised": lambda site: Rest(Share(site, of_parent=True)),
    "labels": Labels,
    "freeze": Freeze,
    "scale_down": ScaleDown,
    "unfreeze": lambda site: Reverse(Freeze(site)),
    "scale_up": lambda site: Reverse(ScaleDown(site)),
    "remove_projects": lambda site: Remove(site, of_projects, ahead=of_all),
    "remove_namespace": lambda site: Remove(site, of_workspace),
    "remove_accounts": lambda site: Remove(site, of_accounts),
    "remove_project": lambda site: Remove(site, of_project),
}
# A quota that was there before is there after, whatever becomes of the operation.
_CHANGED: Final[Mapping[str, Make]] = {**_NEW, "quota": Share}


def make_phases(operation: str, names: list[str], site: Site) -> list[Phase]:
    """Return the phases of an operation by their names."""
    known = _CHANGED if operation in (courses.CHANGE_PLAN, courses.CHANGE_PROJECT) else _NEW
    return [known[name](site) for name in names]
