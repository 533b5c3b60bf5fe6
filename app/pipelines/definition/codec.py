"""Frozen dataclasses to and from the plain values of JSON, by their annotations; and the canonical text of those."""

import hashlib
import json
import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

_SCALARS: Final = (str, int, float)


def to_plain(value: Any) -> Any:
    """`value` as dicts, lists and scalars. Fields that are None are left out; a class may have its own `to_plain`."""
    if value is None or isinstance(value, _SCALARS):
        return value
    if isinstance(value, tuple | list):
        return [to_plain(each) for each in value]
    if isinstance(value, dict):
        return {key: to_plain(each) for key, each in value.items()}
    if hasattr(value, "to_plain"):
        return value.to_plain()
    kind: Any = type(value)
    given = ((name, getattr(value, name)) for name in _hints(kind))
    return {name: to_plain(each) for name, each in given if each is not None}


def from_plain(kind: Any, plain: Any) -> Any:
    """What `to_plain` made `plain` of; a field left out has its default. For our own stored values, not for input."""
    if plain is None or isinstance(plain, _SCALARS):
        return plain
    return _reader(kind)(plain)


@lru_cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """How values of a kind are read; asking `typing` for each of them would take most of the time."""
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Union | types.UnionType:
            return _reader(arguments[0])
        case origin if origin is tuple:
            return lambda plain: tuple(from_plain(arguments[0], each) for each in plain)
        case origin if origin is Mapping:
            return lambda plain: {key: from_plain(arguments[1], each) for key, each in plain.items()}
    if kind is Any:
        return lambda plain: plain
    if hasattr(kind, "from_plain"):
        return typing.cast("Callable[[Any], Any]", kind.from_plain)
    hints = _hints(kind)
    return lambda plain: kind(**{name: from_plain(hints[name], each) for name, each in plain.items() if name in hints})


def canonical_json(plain: Any) -> str:
    """The one text of `plain`: keys sorted, no spaces."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(plain: Any) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical_json(plain).encode()).hexdigest()


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
