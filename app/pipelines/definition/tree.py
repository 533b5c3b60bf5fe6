"""A definition as written: maps, lists and scalars that know their line and column, whatever syntax they came in."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final, TypeVar

from app.pipelines.definition.faults import NOWHERE, Faults, Place, child, item

MAX_CHARACTERS: Final = 256 * 1024
"""Of the text, and again of the tree with its aliases written out."""

MAX_NODES: Final = 20_000
"""With aliases written out; a matrix of 10,000 must still fit, so that it is refused as a matrix."""

MAX_DEPTH: Final = 32

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,18})?(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_LARGEST_WHOLE = 10**18
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

_TYPE_NAMES: Final = {str: "text", bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. `text` is what was written, `value` what it means by itself."""

    value: str | int | float | bool | None
    text: str
    place: Place = NOWHERE
    nodes: int = 1

    @property
    def characters(self) -> int:
        return len(self.text)

    @property
    def number(self) -> int | float | None:
        return None if isinstance(self.value, bool | str) else self.value

    @property
    def kind(self) -> str:
        return _TYPE_NAMES[type(self.value)]


@dataclass(frozen=True, slots=True)
class Listing:
    items: "tuple[Node, ...]"
    place: Place
    nodes: int
    characters: int
    kind: ClassVar[str] = "a list"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a map and its value; `place` is the key's."""

    key: str
    place: Place
    node: "Node"


@dataclass(frozen=True, slots=True)
class Mapping:
    entries: dict[str, Entry]
    place: Place
    nodes: int
    characters: int
    kind: ClassVar[str] = "a map"


Node = Scalar | Listing | Mapping
_Holder = TypeVar("_Holder", Listing, Mapping)


class Builder:
    """Makes nodes, refusing what no definition may hold. Sizes count shared nodes as often as they are used."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def enter(self, path: str, depth: int, place: Place) -> None:
        if depth > MAX_DEPTH:
            raise self.faults.stop(path, f"is nested more than {MAX_DEPTH} levels deep", place)

    def text(self, path: str, text: str, place: Place) -> str:
        """`text` if PostgreSQL and UTF-8 can hold it; else a fault, and the text with a sign for what they cannot."""
        if _UNSTORABLE.search(text):
            self.faults.add(path, "holds a NUL or half of a surrogate pair", place)
            return _UNSTORABLE.sub("\ufffd", text)
        return text

    def listing(self, items: Iterable[Node], path: str, place: Place) -> Listing:
        kept = tuple(items)
        node = Listing(kept, place, 1 + sum(n.nodes for n in kept), sum(n.characters for n in kept))
        return self._bounded(node, path)

    def mapping(self, entries: Iterable[Entry], path: str, place: Place) -> Mapping:
        kept: dict[str, Entry] = {}
        for entry in entries:
            if entry.key in kept:
                self.faults.add(child(path, entry.key), "is written twice", entry.place)
            else:
                kept[entry.key] = entry
        nodes = 1 + sum(entry.node.nodes for entry in kept.values())
        characters = sum(len(entry.key) + entry.node.characters for entry in kept.values())
        return self._bounded(Mapping(kept, place, nodes, characters), path)

    def _bounded(self, node: _Holder, path: str) -> _Holder:
        if node.nodes > MAX_NODES:
            raise self.faults.stop(path, f"holds more than {MAX_NODES} values, aliases written out", node.place)
        if node.characters > MAX_CHARACTERS:
            raise self.faults.stop(path, f"holds more than {MAX_CHARACTERS} characters", node.place)
        return node


def read_number(text: str) -> int | float | None:
    """The number `text` writes, by YAML 1.2's core schema without octal, hexadecimal, infinity or NaN; else None."""
    if _WHOLE.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        return float(text)
    return None


def load_object(value: object, faults: Faults, path: str = "") -> Node:
    """The tree of decoded JSON; its nodes have no place."""
    return _load(value, path, 1, Builder(faults))


def _load(value: object, path: str, depth: int, build: Builder) -> Node:
    build.enter(path, depth, NOWHERE)
    if isinstance(value, dict):
        entries = (_load_entry(key, item_, path, depth, build) for key, item_ in value.items())
        return build.mapping((entry for entry in entries if entry), path, NOWHERE)
    if isinstance(value, list | tuple):
        return build.listing((_load(v, item(path, i), depth + 1, build) for i, v in enumerate(value)), path, NOWHERE)
    return _load_scalar(value, path, build)


def _load_entry(key: object, value: object, path: str, depth: int, build: Builder) -> Entry | None:
    if not isinstance(key, str):
        build.faults.add(path, f"has the key {str(key)[:60]}, which is not text")
        return None
    kept = build.text(path, key, NOWHERE)
    return Entry(kept, NOWHERE, _load(value, child(path, kept), depth + 1, build))


def _load_scalar(value: object, path: str, build: Builder) -> Scalar:
    if isinstance(value, str):
        text = build.text(path, value, NOWHERE)
        return Scalar(text, text)
    if value is None or isinstance(value, bool):
        return Scalar(value, {None: "", True: "true", False: "false"}[value])
    if isinstance(value, int) and abs(value) < _LARGEST_WHOLE:
        return Scalar(value, str(value))
    if isinstance(value, float) and abs(value) < _LARGEST_WHOLE:
        return Scalar(value, repr(value))
    build.faults.add(path, "is not text, a number, true, false, a list or a map")
    return Scalar("", "")
