"""What changed of a row, field by field. Only fields a model has named are ever looked at, so that no secret gets into
the log because somebody forgot that a new column is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ClauseElement, inspect
from sqlalchemy.orm import Mapper

from app.kernel.clock import format_time

CREATED: Final = "created"
UPDATED: Final = "updated"
DELETED: Final = "deleted"

LONGEST_TEXT = 500
HIDDEN: Final = "(hidden)"
COMPUTED: Final = "(by the database)"


@dataclass(frozen=True, slots=True)
class Audited:
    """What of a model's rows the log may tell."""

    resource_type: str
    shown: tuple[str, ...]
    hidden: tuple[str, ...]


_audited: dict[type, Audited] = {}


def audited(model: type, resource_type: str, shown: Collection[str], hidden: Collection[str] = ()) -> None:
    """Let changes of a model's rows be logged: of `shown` fields what they were and are, of `hidden` ones only that
    they changed. To be called at import, once for a model."""
    mapper: Mapper[Any] = inspect(model)
    known = {column.key for column in mapper.column_attrs}
    if unknown := {*shown, *hidden} - known:
        raise ValueError(f"{model.__name__} has no {sorted(unknown)}")
    _audited[model] = Audited(resource_type, tuple(shown), tuple(hidden))


def find_computed(row: Any) -> dict[str, Any]:
    """Return the changes of a row about to be flushed whose values the database computes: of these nothing is known any
    more once it is flushed."""
    said, values = _audited.get(type(row)), inspect(row).dict
    names = [name for name in said.shown if isinstance(values.get(name), ClauseElement)] if said else []
    return {name: [_plain(_before(row, name)), COMPUTED] for name in names}


def describe(row: Any, change: str, computed: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the log tells of a flushed row, with the changes that were `computed`, or None when it tells nothing
    of it."""
    said = _audited.get(type(row))
    if said is None:
        return None
    changes = {**_changes(row, said, change), **computed}
    if change == UPDATED and not changes:
        return None
    return {
        "resource_type": said.resource_type,
        "resource_id": "/".join(map(str, inspect(row).mapper.primary_key_from_instance(row))),
        "organization_id": getattr(row, "organization_id", None),
        "change": change,
        "changes": changes,
    }


def _changes(row: Any, said: Audited, change: str) -> dict[str, Any]:
    state = inspect(row)
    if change == DELETED:
        return {name: [_plain(state.dict.get(name)), None] for name in said.shown if state.dict.get(name) is not None}
    found: dict[str, Any] = {}
    for name in (*said.shown, *said.hidden):
        history = state.attrs[name].history
        if not history.has_changes():
            continue
        before = _before(row, name)
        after = state.dict.get(name, history.added[0] if history.added else None)
        if change == CREATED and after is None:
            continue
        found[name] = [HIDDEN, HIDDEN] if name in said.hidden else [_plain(before), _plain(after)]
    return found


def _before(row: Any, name: str) -> Any:
    history = inspect(row).attrs[name].history
    return history.deleted[0] if history.deleted else None


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, long texts cut."""
    if isinstance(value, ClauseElement):
        return COMPUTED
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, UUID | Enum):
        return str(value)
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
