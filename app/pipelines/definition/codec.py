"""Frozen dataclasses to and from the plain values of JSON, by their annotations; and the canonical text of those."""

import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any


def to_plain(value: Any) -> Any:
    """`value` as dicts, lists and scalars. Fields that are None are left out; a class may have its own `to_plain`."""
    if hasattr(value, "to_plain"):
        return value.to_plain()
    if is_dataclass(value):
        plain = {each.name: to_plain(getattr(value, each.name)) for each in fields(value)}
        return {name: each for name, each in plain.items() if each is not None}
    if isinstance(value, Mapping):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(each) for each in value]
    return value


def from_plain(kind: Any, plain: Any) -> Any:
    """What `to_plain` made `plain` of; a field left out has its default. For our own stored values, not for input."""
    if plain is None or kind is Any:
        return plain
    arguments = typing.get_args(kind)
    match typing.get_origin(kind):
        case typing.Union | types.UnionType:
            return from_plain(arguments[0], plain)
        case origin if origin is tuple:
            return tuple(from_plain(arguments[0], each) for each in plain)
        case origin if origin is Mapping:
            return {key: from_plain(arguments[1], each) for key, each in plain.items()}
    if hasattr(kind, "from_plain"):
        return kind.from_plain(plain)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: from_plain(hints[name], each) for name, each in plain.items() if name in hints})
    return plain


def canonical_json(plain: Any) -> str:
    """The one text of `plain`: keys sorted, no spaces."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(plain: Any) -> str:
    """SHA-256 of the canonical text, in hexadecimal."""
    return hashlib.sha256(canonical_json(plain).encode()).hexdigest()


@lru_cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
