"""What is wrong with a definition, and where: every fault has a path and, when it came as text, a line and a column."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

MAX_FAULTS: Final = 100
"""A hostile file could earn one fault per node; a reader stops long before this many."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)


class Place(NamedTuple):
    """Where a value is written. Lines and columns count from 1; all are None for a tree that never was text.

    `text_column` is the column at which the characters of a scalar begin, when they stand in the source exactly as
    they were read; only then does a position within the value map to a column.
    """

    line: int | None = None
    column: int | None = None
    text_column: int | None = None


NOWHERE: Final = Place()


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `path` reads like `stages[1].steps[0].timeout`; it is empty for the whole document.

    `file` is that of the repository which holds it, None for the definition itself.
    """

    path: str
    line: int | None
    column: int | None
    message: str
    file: str | None = None

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        file = f"{self.file}, " if self.file and place else f"{self.file}: " if self.file else ""
        return f"{file}{place}{self.path or 'the definition'}: {self.message}"


class DefinitionInvalid(Exception):
    """The pipeline definition is not valid."""

    code = "VALIDATION_ERROR"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


class Faults:
    """Collects every fault of one reading, and remembers where each path was written."""

    def __init__(self, file: str | None = None) -> None:
        self._file = file
        self._found: list[Fault] = []
        self._unlisted = 0
        self._paths: set[str] = set()
        self._places: dict[str, Place] = {}

    def __bool__(self) -> bool:
        return bool(self._found)

    def remember(self, path: str, place: Place) -> None:
        self._places[path] = place

    def knows(self, path: str) -> bool:
        """Whether something was written at `path`, be it right or wrong."""
        return path in self._places

    def place_of(self, path: str) -> Place:
        """Where `path` was written."""
        return self._places.get(path, NOWHERE)

    def within(self, path: str) -> bool:
        """Whether a fault was found at `path` or below it, listed or not."""
        return any(at.startswith(path) and at[len(path) : len(path) + 1] in ("", ".", "[") for at in self._paths)

    def first_known(self, *paths: str) -> str:
        """The first of several paths at which something was written, or the first of all."""
        return next((path for path in paths if self.knows(path)), paths[0])

    def add(self, path: str, message: str, place: Place | None = None) -> None:
        """Record a fault at `place`, by default where `path` was written."""
        self._paths.add(path)
        if len(self._found) >= MAX_FAULTS:
            self._unlisted += 1
            return
        line, column, _ = place or self._places.get(path, NOWHERE)
        self._found.append(Fault(path, line, column, message, self._file))

    def add_within(self, path: str, message: str, character: int) -> None:
        """Record a fault at the `character`-th (from 1) character of the text at `path`."""
        place = self._places.get(path, NOWHERE)
        if place.text_column is not None:
            place = place._replace(column=place.text_column + character - 1)
        self.add(path, f"{message} (at character {character})", place)

    def stop(self, path: str, message: str, place: Place = NOWHERE) -> DefinitionInvalid:
        """The error to raise for a fault after which nothing more can be read."""
        self.add(path, message, place)
        return self.invalid()

    def invalid(self) -> DefinitionInvalid:
        return DefinitionInvalid(self.found())

    def found(self) -> list[Fault]:
        """What was found, in the order of the text."""
        found = sorted(self._found, key=lambda fault: (fault.line or 0, fault.column or 0))
        if self._unlisted:
            found.append(Fault("", None, None, f"and {self._unlisted} more faults", self._file))
        return found


def child(path: str, key: str) -> str:
    """The path of `key` within the map at `path`."""
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{shorten(key)}]"
    return f"{path}.{key}" if path else key


def item(path: str, index: int) -> str:
    """The path of the `index`-th (from 0) item of the list at `path`."""
    return f"{path}[{index}]"


def shorten(text: str, limit: int = 60) -> str:
    """`text` in quotes for a message: escaped, and cut when long, since it may be anything."""
    return repr(text if len(text) <= limit else f"{text[:limit]}…")
