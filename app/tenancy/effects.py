"""Effects: what the beginning and the end of each operation mean for the workspace or project it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.identity import forget_place
from app.kernel.events import announce
from app.tenancy import courses
from app.tenancy.events import WorkspaceDeleted, WorkspaceStatusChanged
from app.tenancy.models import (
    ACTIVE,
    DELETING,
    FAILED,
    PROVISIONING,
    SUSPENDED,
    Project,
    Provisioning,
    Space,
    Workspace,
)
from app.tenancy.provisioning_events import ProjectDeleted, ProjectStatusChanged

Subject = Workspace | Project
Effect = Callable[[Session, Provisioning, Subject, str | None], None]


def move(session: Session, subject: Subject, status: str, reason: str | None = None) -> None:
    """Give a workspace or a project another status, and tell of it."""
    previous, subject.status, subject.status_reason = subject.status, status, reason
    session.flush()
    if previous == status:
        return
    if isinstance(subject, Workspace):
        announce(session, WorkspaceStatusChanged(subject.organization_id, subject.id, previous, status, reason))
    else:
        whose = (subject.organization_id, subject.workspace_id, subject.id)
        announce(session, ProjectStatusChanged(*whose, previous, status, reason))


def _becomes(status: str) -> Effect:
    return lambda session, _, subject, reason: move(session, subject, status, reason)


def _stays(_: Session, __: Provisioning, ___: Subject, ____: str | None) -> None:
    return


def _takes(which: str) -> Effect:
    """Write the values that were kept as `before` or `after` it."""

    def write(session: Session, provisioning: Provisioning, subject: Subject, _: str | None) -> None:
        for name, value in provisioning.wanted.get(which, {}).items():
            setattr(subject, name, value)
        session.flush()

    return write


def _leaves(session: Session, provisioning: Provisioning, _: Subject, __: str | None) -> None:
    """Nothing of it is on the cluster any more: its names may be used again."""
    mine = Space.workspace_id == provisioning.workspace_id
    if provisioning.project_id is not None:
        mine = Space.project_id == provisioning.project_id
    session.execute(delete(Space).where(mine))


def _is_deleted(session: Session, _: Provisioning, subject: Subject, __: str | None) -> None:
    delete_subject(session, subject)


def delete_subject(session: Session, subject: Subject) -> None:
    """Delete a workspace with its projects, or a project, of which nothing is on a cluster any more."""
    forget_place(session, subject.id)
    if isinstance(subject, Workspace):
        announce(session, WorkspaceDeleted(subject.organization_id, subject.id, subject.name))
        projects = select(Project).where(Project.workspace_id == subject.id)
        for project in session.scalars(projects.order_by(Project.depth.desc())).all():
            session.delete(project)
            session.flush()
    else:
        announce(session, ProjectDeleted(subject.organization_id, subject.workspace_id, subject.id, subject.name))
    session.delete(subject)
    session.flush()


@dataclass(frozen=True, slots=True)
class Effects:
    """What an operation does to its subject when it begins, when it is done, when it has failed, and when what it had
    done is undone."""

    begun: Effect = _stays
    done: Effect = _stays
    failed: Effect = _stays
    undone: Effect = _stays


_PROVISION: Final = Effects(_becomes(PROVISIONING), _becomes(ACTIVE), _becomes(FAILED), _leaves)
_DELETE: Final = Effects(_becomes(DELETING), _is_deleted, _becomes(FAILED))
_CHANGE: Final = Effects(begun=_takes("after"), failed=_takes("before"))

_OF: Final = {
    courses.PROVISION: _PROVISION,
    courses.PROVISION_PROJECT: _PROVISION,
    courses.DELETE: _DELETE,
    courses.DELETE_PROJECT: _DELETE,
    courses.SUSPEND: Effects(done=_becomes(SUSPENDED)),
    courses.RESUME: Effects(done=_becomes(ACTIVE)),
    courses.UPGRADE: _CHANGE,
    courses.REPAIR: Effects(),
    courses.REPAIR_PROJECT: Effects(),
    courses.CHANGE_PLAN: _CHANGE,
    courses.CHANGE_PROJECT: _CHANGE,
}


def _subject_of(session: Session, provisioning: Provisioning) -> Subject | None:
    if provisioning.project_id is not None:
        return session.get(Project, provisioning.project_id)
    return session.get(Workspace, provisioning.workspace_id)


def is_gone(session: Session, provisioning: Provisioning) -> bool:
    """Tell whether what an operation is about is not there any more."""
    return _subject_of(session, provisioning) is None


def begun(session: Session, provisioning: Provisioning) -> None:
    """Write what the beginning of an operation means."""
    _apply(session, provisioning, _OF[provisioning.operation].begun)


def done(session: Session, provisioning: Provisioning) -> None:
    """Write what its success means."""
    _apply(session, provisioning, _OF[provisioning.operation].done)


def failed(session: Session, provisioning: Provisioning, reason: str) -> None:
    """Write what its failure means; `reason` is in words for users."""
    _apply(session, provisioning, _OF[provisioning.operation].failed, reason)


def undone(session: Session, provisioning: Provisioning) -> None:
    """Write what follows when all it had done is taken back."""
    _apply(session, provisioning, _OF[provisioning.operation].undone)


def _apply(session: Session, provisioning: Provisioning, effect: Effect, reason: Any = None) -> None:
    subject = _subject_of(session, provisioning)
    if subject is not None:
        effect(session, provisioning, subject, reason)
