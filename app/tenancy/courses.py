"""Courses: the phases of each operation, with their shares of the time. What a phase does is the workers' part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.kernel.intents import Intent
from app.tenancy.intents import (
    ChangeProject,
    ChangeWorkspace,
    DeleteProject,
    DeleteWorkspace,
    ProvisionProject,
    ProvisionWorkspace,
)
from app.tenancy.models.workspaces import VCLUSTER

PROVISION: Final = "provision"
DELETE: Final = "delete"
SUSPEND: Final = "suspend"
RESUME: Final = "resume"
UPGRADE: Final = "upgrade"
CHANGE_PLAN: Final = "change_plan"
REPAIR: Final = "repair"
REPAIR_PROJECT: Final = "repair_project"
PROVISION_PROJECT: Final = "provision_project"
CHANGE_PROJECT: Final = "change_project"
DELETE_PROJECT: Final = "delete_project"

MAKING: Final = (PROVISION, PROVISION_PROJECT)
"""What makes places; all of it is taken back when it does not succeed."""


@dataclass(frozen=True, slots=True)
class Course:
    """The phases of an operation in order, each with its share; `virtual` are those of virtual clusters, where they are
    others. One that is not `undoable` stays where it stopped, and may be asked for again."""

    intent: type[Intent]
    phases: tuple[tuple[str, int], ...]
    undoable: bool = True
    virtual: tuple[tuple[str, int], ...] | None = None

    def phases_of(self, isolation: str | None) -> tuple[tuple[str, int], ...]:
        """Return the phases for a workspace that is kept apart so."""
        return self.virtual if self.virtual is not None and isolation == VCLUSTER else self.phases


def patience_of(phase: str) -> float:
    """Return for how many seconds a phase may wait before it has failed."""
    # A control plane has images to be pulled.
    return 3600.0 if phase.startswith("remove_") else 900.0 if phase == "kubeconfig" else 300.0


_PLACE: Final = (("namespace", 10), ("quota", 15), ("network_policy", 5), ("accounts", 10), ("roles", 10))

_CONTROL: Final = (("control_plane", 20), ("kubeconfig", 60), ("virtual_members", 20))
_TRY_INSIDE: Final = (("virtual_verify", 40), ("virtual_clean_up", 10))
_TRY: Final = (("verify", 40), ("clean_up", 10))

COURSES: Final = {
    PROVISION: Course(ProvisionWorkspace, (*_PLACE, *_TRY), virtual=(*_PLACE, *_CONTROL, *_TRY_INSIDE)),
    DELETE: Course(
        DeleteWorkspace, (("remove_projects", 40), ("remove_namespace", 40), ("remove_accounts", 20)), undoable=False
    ),
    SUSPEND: Course(
        ChangeWorkspace,
        (("freeze", 20), ("scale_down", 80)),
        virtual=(("freeze", 20), ("scale_down", 50), ("remove_pods", 30)),
    ),
    RESUME: Course(
        ChangeWorkspace,
        (("unfreeze", 20), ("scale_up", 80)),
        virtual=(("unfreeze", 10), ("scale_up", 10), ("kubeconfig", 60), ("virtual_members", 20)),
    ),
    UPGRADE: Course(ChangeWorkspace, _PLACE, undoable=False, virtual=(*_PLACE, *_CONTROL)),
    REPAIR: Course(ChangeWorkspace, _PLACE, undoable=False, virtual=(*_PLACE, *_CONTROL)),
    CHANGE_PLAN: Course(ChangeWorkspace, (("quota", 100),)),
    PROVISION_PROJECT: Course(ProvisionProject, (("parent_quota", 15), *_PLACE[:3], ("roles", 10))),
    # Whoever gives goes first: what namespaces have together is never more than the plan.
    CHANGE_PROJECT: Course(
        ChangeProject, (("labels", 10), ("parent_lowered", 30), ("quota", 30), ("parent_raised", 30))
    ),
    REPAIR_PROJECT: Course(ChangeProject, (*_PLACE[:3], ("roles", 10)), undoable=False),
    DELETE_PROJECT: Course(DeleteProject, (("remove_project", 90), ("parent_quota", 10)), undoable=False),
}
