"""Which rows a caller may see: the same decision as `Principal.may`, for a list."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, true
from sqlalchemy.orm import QueryableAttribute

from app.kernel.principal import Principal


def visible(
    caller: Principal, permission: str, *places: QueryableAttribute[UUID] | QueryableAttribute[UUID | None]
) -> ColumnElement[bool]:
    """Return the condition that a row lies where the caller holds `permission`.

    `places` are the columns that say where a row lies, as `load` finds them on a row: a list and a single row that name
    different ones would contradict each other.
    """
    if caller.may(permission):
        return true()
    held = caller.places_with(permission)
    return or_(*(column.in_(held) for column in places)) if held else false()
