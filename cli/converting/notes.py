"""What there is to say of a conversion: each note has a file, a line, and how much it matters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

Weight = Literal["lost", "check", "moot"]

MOST_SHOWN: Final = 90
MOST_SAID: Final = 240


class NotConvertible(Exception):
    """Nothing can be made of the file."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.message = shown(message, MOST_SAID)
        super().__init__(self.message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Note:
    """One note; `what` names the construct.

    `weight` is `lost` for what was left out or means something else now, `check` for what holds only if something
    outside of the file is so, `moot` for what Headrace does anyway or has no need of.
    """

    weight: Weight
    file: str
    line: int | None
    what: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line or 1}: {self.what}: {self.message}"


class Notes:
    """Collects the notes of one conversion, and which part of the result each belongs to."""

    def __init__(self, file: str = "") -> None:
        self.file = file
        self._taken: dict[Note, None] = {}
        self._parts: dict[int, list[Note]] = {}
        self._kept: list[Any] = []

    def add(self, weight: Weight, line: int | None, what: str, message: str, part: Any = None) -> None:
        """Take a note; `part` is the map of the result that it concerns."""
        note = Note(weight, self.file, line, shown(what), shown(message, MOST_SAID))
        if note in self._taken:
            return
        self._taken[note] = None
        if part is not None:
            self._kept.append(part)
            self._parts.setdefault(id(part), []).append(note)

    def lost(self, line: int | None, what: str, message: str, part: Any = None) -> None:
        """Note what was left out or means something else now."""
        self.add("lost", line, what, message, part)

    def check(self, line: int | None, what: str, message: str, part: Any = None) -> None:
        """Note what holds only if something outside of the file is so."""
        self.add("check", line, what, message, part)

    def moot(self, line: int | None, what: str, message: str) -> None:
        """Note what is not needed here."""
        self.add("moot", line, what, message)

    @property
    def all(self) -> tuple[Note, ...]:
        """Return every note once, in the order of the file."""
        return tuple(sorted(self._taken, key=lambda note: note.line or 0))

    def of(self, part: Any) -> list[Note]:
        """Return what there is to say of one map of the result."""
        return self._parts.get(id(part), [])


def shown(text: str, most: int = MOST_SHOWN) -> str:
    """Return a text on one line, cut where it is long, without what a terminal would act upon."""
    line = "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
    return line if len(line) <= most else f"{line[:most]}…"
