"""Variables that are kept beside definitions. The session comes first; nothing here commits."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.kernel.errors import Conflict
from app.pipelines.keeping import Holder, Places, fresh, keep, nearest, note_written, select_kept
from app.pipelines.models import NEAREST_FIRST, Variable

MOST: Final = 100


class TooManyVariables(Conflict):
    """There are as many variables as there may be."""

    code = "TOO_MANY_VARIABLES"


def create_variable(session: Session, holder: Holder, name: str, value: str, created_by: UUID) -> Variable:
    """Write a variable; raises AlreadyExists for a name the holder has, and TooManyVariables."""
    mine = select_kept(Variable, holder).with_only_columns(func.count())
    if session.execute(mine).scalar_one() >= MOST:
        raise TooManyVariables(f"This {holder.kind} has {MOST} variables; there may be no more.")
    variable = fresh(Variable, holder, name, created_by)
    variable.value = value
    return keep(session, variable, holder)


def change_variable(session: Session, variable: Variable, value: str) -> Variable:
    """Change the value; executions that were started keep the one they have."""
    variable.value = value
    return note_written(session, variable)


def read_variables(session: Session, places: Places) -> dict[str, str]:
    """Return by name the variables of an execution in these places, the nearest of each."""
    holders = [getattr(Variable, column) for column in NEAREST_FIRST]
    found = nearest(session.execute(select(Variable.name, Variable.value, *holders).where(places.is_near(Variable))))
    return {name: found[name].value for name in sorted(found)}
