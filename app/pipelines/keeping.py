"""Secrets and variables as rows: whose they are, found, written and deleted. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.kernel.errors import AlreadyExists, NotFound
from app.kernel.ids import new_id
from app.pipelines.models import NEAREST_FIRST, Environment, Kept, Pipeline, Secret, Variable
from app.tenancy import Organization, Workspace

Row = TypeVar("Row", Secret, Variable)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose something is; `column` names its kind, such as `workspace_id`."""

    column: str
    id: UUID
    organization_id: UUID

    @property
    def kind(self) -> str:
        """What it is called."""
        return self.column.removesuffix("_id")


@dataclass(frozen=True, slots=True)
class Places:
    """Where a step runs, and so who may have kept something for it."""

    organization_id: UUID
    workspace_id: UUID
    pipeline_id: UUID
    environment_id: UUID | None = None

    def is_near(self, model: type[Kept]) -> ColumnElement[bool]:
        """Return the condition that a row is kept by one of these."""
        return model.holder().in_([place for column in NEAREST_FIRST if (place := getattr(self, column))])


def holder_of(row: Organization | Workspace | Pipeline | Environment) -> Holder:
    """Return a row as one who keeps something."""
    return Holder(f"{type(row).__name__.lower()}_id", row.id, row.organization_id)


def select_kept(model: type[Row], holder: Holder) -> Select[Row]:
    """Select what a holder keeps itself."""
    return select(model).where(model.holder() == holder.id)


def fresh(model: type[Row], holder: Holder, name: str, created_by: UUID) -> Row:
    """Return a row that is to be kept, without its value."""
    row: Row = model(id=new_id(), organization_id=holder.organization_id, name=name, created_by=created_by)
    setattr(row, holder.column, holder.id)
    return row


def keep(session: Session, row: Row, holder: Holder) -> Row:
    """Write a fresh row; raises AlreadyExists for a name the holder has."""
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        kind = type(row).__name__.lower()
        raise AlreadyExists(f"This {holder.kind} has a {kind} named {row.name} already.") from None
    session.refresh(row, ["created_at", "updated_at"])
    return row


def find_kept(session: Session, model: type[Row], holder: Holder, name: str, *, for_update: bool = False) -> Row:
    """Return what a holder keeps under a name, of a secret without its value; raises NotFound."""
    named = select_kept(model, holder).where(model.name == name)
    row: Row | None = session.execute(named.with_for_update() if for_update else named).scalar_one_or_none()
    if row is None:
        raise NotFound(resource_type=model.__name__.lower(), resource_id=name)
    return row


def note_written(session: Session, row: Row) -> Row:
    """Write what was changed of a row, with the time."""
    row.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(row, ["updated_at"])
    return row


def forget(session: Session, row: Row) -> None:
    """Delete a row; steps that run keep what they were given."""
    session.delete(row)
    session.flush()


def nearest(rows: Iterable[Any]) -> dict[str, Any]:
    """Return of rows with the columns of `Kept` the one that holds for each name."""
    farthest_first = sorted(rows, key=_distance, reverse=True)
    return {row.name: row for row in farthest_first}


def _distance(row: Any) -> int:
    return next(place for place, column in enumerate(NEAREST_FIRST) if getattr(row, column) is not None)
