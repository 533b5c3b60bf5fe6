"""JSON text to a tree: the standard decoder keeps neither places nor duplicate keys, and YAML is no true superset."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import count
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # public in all but its stub
from typing import Final

from app.pipelines.definition.faults import DefinitionInvalid, Faults, Place, child, item
from app.pipelines.definition.tree import Builder, Entry, Listing, Mapping, Node, Scalar, read_number

_SPACE = re.compile(r"[ \t\r\n]*")
_BARE = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


def load_json(text: str, faults: Faults) -> Node:
    """The one value in `text`. Raises DefinitionInvalid where the text cannot be read any further."""
    return _Reader(text, faults).document()


class _Reader:
    def __init__(self, text: str, faults: Faults) -> None:
        self._text = text
        self._faults = faults
        self._build = Builder(faults)
        self._position = 0
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> Node:
        if not self._peek():
            raise self._faults.stop("", "is empty", Place(1, 1))
        root = self._value("", 1)
        if self._peek():
            raise self._unreadable("there is more text after the end of the value")
        return root

    def _value(self, path: str, depth: int) -> Node:
        sign = self._peek()
        self._build.enter(path, depth, self._place())
        match sign:
            case "{":
                return self._mapping(path, depth)
            case "[":
                return self._listing(path, depth)
            case '"':
                return self._string(path)
            case _:
                return self._bare(path)

    def _mapping(self, path: str, depth: int) -> Mapping:
        place = self._place()
        entries: list[Entry] = []
        for _ in self._items("}"):
            if self._peek() != '"':
                raise self._unreadable("a key in double quotes is expected")
            key = self._string(path)
            self._take(":")
            entries.append(Entry(key.text, key.place, self._value(child(path, key.text), depth + 1)))
        return self._build.mapping(entries, path, place)

    def _listing(self, path: str, depth: int) -> Listing:
        place = self._place()
        items = [self._value(item(path, index), depth + 1) for index in self._items("]")]
        return self._build.listing(items, path, place)

    def _items(self, closing: str) -> Iterator[int]:
        """Yield at the first character of each item; end behind the closing bracket."""
        self._position += 1
        if self._peek() == closing:
            self._position += 1
            return
        for index in count():
            yield index
            if self._peek() == closing:
                self._position += 1
                return
            self._take(",")

    def _string(self, path: str) -> Scalar:
        place, start = self._place(), self._position + 1
        try:
            text, self._position = scanstring(self._text, start, True)
        except JSONDecodeError as error:
            self._position = error.pos
            raise self._unreadable(error.msg) from None
        if self._text.startswith(text, start) and place.column is not None:
            place = place._replace(text_column=place.column + 1)
        kept = self._build.text(path, text, place)
        return Scalar(kept, kept, place)

    def _bare(self, path: str) -> Scalar:
        place = self._place()
        match = _BARE.match(self._text, self._position)
        if match is None:
            raise self._unreadable("a value is expected")
        self._position = match.end()
        text = match.group()
        if text in _CONSTANTS:
            return Scalar(_CONSTANTS[text], text, place)
        number = read_number(text)
        if number is None:
            self._faults.add(path, "is a number with too many digits", place)
            number = 0
        return Scalar(number, text, place)

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        self._skip_space()
        return self._text[self._position : self._position + 1]

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._unreadable(f"{sign!r} is expected")
        self._position += 1

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._position)
        self._position = match.end() if match else self._position

    def _place(self) -> Place:
        line = bisect_right(self._lines, self._position)
        return Place(line, self._position - self._lines[line - 1] + 1)

    def _unreadable(self, problem: str) -> DefinitionInvalid:
        return self._faults.stop("", f"is not JSON: {problem}", self._place())
