"""Cursors: the place in a list after a given row, by the values of its sort key. Opaque to clients, never trusted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, and_, literal, or_, tuple_

from app.kernel.errors import FieldError, Invalid

Position = tuple[Any, ...]

_READERS: dict[str, Callable[[str], Any]] = {"t": datetime.fromisoformat, "u": UUID}


def write_cursor(sort: str, descending: bool, values: Sequence[Any]) -> str:
    """Return the cursor that stands behind a row whose key has these values."""
    packed = orjson.dumps([sort, descending, *map(_pack, values)])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _pack(value: Any) -> Any:
    if isinstance(value, datetime):
        return ["t", value.isoformat()]
    if isinstance(value, UUID):
        return ["u", str(value)]
    return value


def read_cursor(text: str, sort: str, descending: bool) -> Position:
    """Return the position a cursor stands for; raises Invalid for junk and for the cursor of another order."""
    try:
        packed = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        its_sort, its_descending, *values = packed
        position = tuple(map(_unpack, values))
    except (ValueError, TypeError, KeyError, binascii.Error):
        raise _invalid("Is not a cursor of this list.") from None
    if (its_sort, its_descending) != (sort, descending):
        raise _invalid("Belongs to another order of this list.")
    return position


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        kind, text = value
        return _READERS[kind](text)
    if isinstance(value, str) and "\0" in value:
        raise ValueError
    return value


def after(keys: Sequence[Any], position: Position, *, descending: bool) -> ColumnElement[bool]:
    """Return the condition that a row comes after `position`; raises Invalid when the values do not fit the keys.

    PostgreSQL puts NULL last in ascending order and first in descending; it is taken as the largest value here, so
    that an ordinary index serves the order. A key that is never NULL compares as a row, which one index scan answers.
    """
    if len(keys) != len(position) or not all(map(_fits, keys, position)):
        raise _invalid("Is not a cursor of this list.")
    first, *rest = keys
    value, *others = position
    ties = _beyond(tuple_(*rest), tuple_(*map(literal, others, _types(rest))), descending)
    if not getattr(first, "nullable", True):
        return _beyond(tuple_(*keys), tuple_(*map(literal, position, _types(keys))), descending)
    if value is None:
        same = and_(first.is_(None), ties)
        return or_(first.is_not(None), same) if descending else same
    beyond = or_(_beyond(first, literal(value, first.type), descending), and_(first == value, ties))
    return beyond if descending else or_(beyond, first.is_(None))


def _types(keys: Sequence[Any]) -> list[Any]:
    return [key.type for key in keys]


def _beyond(left: Any, right: Any, descending: bool) -> ColumnElement[bool]:
    found: ColumnElement[bool] = left < right if descending else left > right
    return found


def _fits(key: Any, value: Any) -> bool:
    if value is None:
        return bool(getattr(key, "nullable", True))
    kind = key.type.python_type
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return isinstance(value, (int, float) if kind is float else kind)


def _invalid(message: str) -> Invalid:
    return Invalid(errors=[FieldError("cursor", message)])
