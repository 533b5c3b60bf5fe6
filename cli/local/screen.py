"""What a local run says: lines of steps with their stage and step in front, and a table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, TextIO

_COLOURS: Final = (36, 33, 35, 34, 32, 96, 93, 95)
_ENDS: Final = {"succeeded": 32, "skipped": 90, "failed": 31, "timed_out": 31, "cancelled": 31}
_WIDEST: Final = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One stage or step in the table; `depth` is 1 for a step. Seconds are None for what did not run."""

    name: str
    status: str
    seconds: float | None
    reason: str | None = None
    depth: int = 0


class Screen:
    """Writes whole lines, from any thread. Colours are for terminals alone."""

    def __init__(self, out: TextIO, *, colours: bool) -> None:
        self._out = out
        self._colours = colours
        self._lock = Lock()
        self._known: dict[str, int] = {}

    def lines(self, stage: str, step: str, text: str) -> None:
        """Write lines of a step, each behind its stage and step."""
        prefix = self._coloured(f"{stage} / {step} |", self._colour_of(stage))
        reset = "\x1b[0m" if self._colours else ""
        with self._lock:
            self._out.writelines(f"{prefix} {line}{reset}\n" for line in text.split("\n"))
            self._out.flush()

    def say(self, text: str) -> None:
        """Write a line of the program's own."""
        with self._lock:
            print(text, file=self._out, flush=True)

    def table(self, rows: Sequence[Row]) -> None:
        """Write how everything ended."""
        width = min(max((len(row.name) + 2 * row.depth for row in rows), default=0), _WIDEST)
        for row in rows:
            name = f"{'  ' * row.depth}{row.name}".ljust(width)
            status = self._coloured(row.status.replace("_", " ").ljust(9), _ENDS.get(row.status, 0))
            took = "" if row.seconds is None else f"{row.seconds:.1f} s"
            self.say(f"{name}  {status}  {took:>9}  {row.reason or ''}".rstrip())

    def _colour_of(self, stage: str) -> int:
        with self._lock:
            return _COLOURS[self._known.setdefault(stage, len(self._known)) % len(_COLOURS)]

    def _coloured(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text
