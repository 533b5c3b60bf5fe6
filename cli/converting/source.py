"""The file to convert, as a tree whose nodes know their lines, and the few ways of asking it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.pipelines.definition.faults import DefinitionInvalid, Faults
from app.pipelines.definition.tree import MAX_CHARACTERS, Entry, Listing, Mapping, Node, Scalar
from app.pipelines.definition.yaml_text import load_yaml
from cli.converting.notes import NotConvertible, Notes

_LONGEST_NUMBER: Final = 12


@dataclass(frozen=True, slots=True)
class Source:
    """A file by the name it is called in notes, and its text."""

    name: str
    text: str


def read_tree(source: Source, notes: Notes, tags: frozenset[str] = frozenset()) -> Mapping:
    """Return the map that the file is. Raises NotConvertible; smaller faults become notes."""
    if len(source.text.encode(errors="replace")) > MAX_CHARACTERS:
        raise NotConvertible(f"has more than {MAX_CHARACTERS} bytes")
    if "\x00" in source.text:
        raise NotConvertible("holds a NUL")
    faults = Faults()
    try:
        node = load_yaml(source.text, faults, tags)
    except DefinitionInvalid as error:
        worst = error.faults[-1]
        raise NotConvertible(worst.message, worst.line) from None
    if faults:
        for fault in faults.invalid().faults:
            notes.lost(fault.line, fault.path or "file", fault.message)
    if not isinstance(node, Mapping):
        raise NotConvertible(f"is {node.kind}, not a map of keys", node.place.line)
    return node


def line_of(node: Node | None) -> int | None:
    """Return the line a value stands at."""
    return node.place.line if node is not None else None


def entries(node: Node | None) -> list[Entry]:
    """Return the entries of a map; of anything else none."""
    return list(node.entries.values()) if isinstance(node, Mapping) else []


def get(node: Node | None, *keys: str) -> Node | None:
    """Return what stands under a key, under a key of that, and so on."""
    for key in keys:
        entry = node.entries.get(key) if isinstance(node, Mapping) else None
        node = entry.node if entry else None
    return node


def text_of(node: Node | None) -> str | None:
    """Return the text of a scalar that says something."""
    return node.text if isinstance(node, Scalar) and node.value is not None else None


def flag_of(node: Node | None) -> bool | None:
    """Return the truth value of a scalar, or None where it is none."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, bool) else None


def whole_of(text: str | None) -> int | None:
    """Return the whole number that a text writes; None for what is none, or larger than anything that is counted."""
    return int(text) if text and text.isdecimal() and len(text) < _LONGEST_NUMBER else None


def items(node: Node | None) -> tuple[Node, ...]:
    """Return the items of a list; a scalar or a map alone counts as a list of it."""
    if isinstance(node, Listing):
        return node.items
    return () if node is None or (isinstance(node, Scalar) and node.value is None) else (node,)


def texts(node: Node | None) -> list[str]:
    """Return the texts of a list, of lists within it too, or of one scalar."""
    return list(_texts(node))


def _texts(node: Node | None) -> Iterator[str]:
    for each in items(node):
        if isinstance(each, Listing):
            yield from _texts(each)
        elif (text := text_of(each)) is not None:
            yield text
