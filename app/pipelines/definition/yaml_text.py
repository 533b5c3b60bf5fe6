"""YAML text to a tree, from the parser's events: no object is ever constructed, and an alias costs what it expands to.

Scalars are read by YAML 1.2's core schema, so `on`, `yes`, `012` and `2024-01-01` are text, as their authors meant.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from app.pipelines.definition.faults import Faults, Place, child, item, shorten
from app.pipelines.definition.tree import MAX_NODES, Builder, Entry, Listing, Mapping, Node, Scalar, read_number

_Event = Any  # the stubs give yaml.Event neither its tag, its anchor nor a certain mark
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_MERGE: Final = "<<"
_STANDARD: Final = "tag:yaml.org,2002:"
_TEXT_TAG: Final = _STANDARD + "str"
_TAGS_OF_KIND: Final = {
    Scalar: (None, "!", _TEXT_TAG),
    Listing: (None, "!", _STANDARD + "seq"),
    Mapping: (None, "!", _STANDARD + "map"),
}


def load_yaml(text: str, faults: Faults, tags: frozenset[str] = frozenset()) -> Node:
    """The one document in `text`. Raises DefinitionInvalid where the text cannot be read any further.

    What has one of `tags` becomes a map of one key, the tag; nothing is ever made of it here.
    """
    try:
        return _Composer(text, faults, tags).document()
    except yaml.reader.ReaderError as error:
        raise faults.stop(
            "", f"holds a character YAML does not allow: {error.reason}", _at(text, error.position)
        ) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        raise faults.stop("", f"is not YAML: {error.problem or error.context}", place) from None


class _Composer:
    def __init__(self, text: str, faults: Faults, tags: frozenset[str]) -> None:
        self._text = text
        self._faults = faults
        self._tags = tags
        self._build = Builder(faults)
        self._events: Iterator[_Event] = iter(yaml.parse(text, Loader=_LOADER))
        self._anchors: dict[str, Node | None] = {}
        self._merged = 0

    def document(self) -> Node:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise self._faults.stop("", "is empty", Place(1, 1))
        root = self._node(next(self._events), "", 1)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._faults.stop("", "is a second document; a definition is one", _place(after))
        return root

    def _node(self, event: _Event, path: str, depth: int) -> Node:
        self._build.enter(path, depth, _place(event))
        if isinstance(event, yaml.AliasEvent):
            return self._resolve(event, path)
        if event.anchor:
            self._anchors[event.anchor] = None
        node = self._tagged(event, self._compose(event, path, depth), path)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _tagged(self, event: _Event, node: Node, path: str) -> Node:
        if event.tag not in self._tags:
            return node
        return self._build.mapping([Entry(event.tag, _place(event), node)], path, _place(event))

    def _compose(self, event: _Event, path: str, depth: int) -> Node:
        if isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event, Listing, path)
            return self._build.listing(self._items(path, depth), path, _place(event))
        if isinstance(event, yaml.MappingStartEvent):
            self._check_tag(event, Mapping, path)
            return self._build.mapping(self._entries(path, depth), path, _place(event))
        return self._scalar(event, path)

    def _resolve(self, event: _Event, path: str) -> Node:
        if event.anchor not in self._anchors:
            raise self._faults.stop(
                path, f"names the anchor {shorten(event.anchor)}, which is not above", _place(event)
            )
        node = self._anchors[event.anchor]
        if node is None:
            raise self._faults.stop(path, f"holds itself through the anchor {shorten(event.anchor)}", _place(event))
        return node

    def _items(self, path: str, depth: int) -> Iterator[Node]:
        index = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, item(path, index), depth + 1)
            index += 1

    def _entries(self, path: str, depth: int) -> list[Entry]:
        written: list[Entry] = []
        merged: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, path, depth + 1)
            if not isinstance(key, Scalar) or not isinstance(key.value, str):
                shown = shorten(key.text) if isinstance(key, Scalar) else key.kind
                self._faults.add(path, f"has the key {shown}, which is not text", _place(event))
                self._node(next(self._events), path, depth + 1)
                continue
            value = self._node(next(self._events), child(path, key.value), depth + 1)
            if key.value == _MERGE and not getattr(event, "style", None) and not merged:
                merged = self._merge(value, path, _place(event))
            else:
                written.append(Entry(key.value, _place(event), value))
        explicit = {entry.key for entry in written}
        return written + [entry for key, entry in merged.items() if key not in explicit]

    def _merge(self, value: Node, path: str, place: Place) -> dict[str, Entry]:
        """What `<<: *anchor` or `<<: [*one, *two]` brings in. A merge copies, so its work counts against the bound."""
        merged: dict[str, Entry] = {}
        for source in value.items if isinstance(value, Listing) else (value,):
            if not isinstance(source, Mapping):
                self._faults.add(path, f"merges {source.kind}; '<<' takes a map or a list of maps", place)
                continue
            self._merged += len(source.entries)
            if self._merged > MAX_NODES:
                raise self._faults.stop(path, f"merges more than {MAX_NODES} keys", place)
            for key, entry in source.entries.items():
                merged.setdefault(key, entry)
        return merged

    def _scalar(self, event: _Event, path: str) -> Scalar:
        self._check_tag(event, Scalar, path)
        text = self._build.text(path, event.value, _place(event))
        place = self._scalar_place(event)
        plain = event.implicit[0] and event.tag is None
        if not plain:
            return Scalar(text, text, place)
        if text in _CONSTANTS:
            return Scalar(_CONSTANTS[text], text, place)
        number = read_number(text)
        return Scalar(text if number is None else number, text, place)

    def _scalar_place(self, event: _Event) -> Place:
        line, column, _ = _place(event)
        quote = 1 if event.style in ("'", '"') else 0
        start = event.start_mark.index + quote
        literal = "\n" not in event.value and self._text.startswith(event.value, start)
        return Place(line, column, (column or 0) + quote if literal else None)

    def _check_tag(self, event: _Event, kind: type[Node], path: str) -> None:
        if event.tag not in _TAGS_OF_KIND[kind] and event.tag not in self._tags:
            shown = event.tag.replace(_STANDARD, "!!", 1)
            self._faults.add(path, f"has the tag {shorten(shown)}; tags are not allowed", _place(event))


def _place(event: _Event) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))
