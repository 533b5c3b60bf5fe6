"""Globs over paths and branch names: `*` and `?` stay within one segment, `**` crosses `/`.

Patterns come from repositories, so they are matched by walking all positions at once: a pattern of a hundred stars
costs its length times the text's, where a translation to a regular expression would backtrack without end.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

_SET = re.compile(r"\[(!?)(\]?[^\]/]*)\]")
_RANGE = re.compile(r"(.)-(.)|(.)", re.DOTALL)


class _Step(NamedTuple):
    """One step of a pattern: the characters it takes, whether it takes many, and how far one may jump for free."""

    accepts: Callable[[str], bool]
    repeats: bool = False
    jumps: tuple[int, ...] = ()


_ANY_TEXT = _Step(lambda _: True, repeats=True, jumps=(1,))
_WITHIN_SEGMENT = _Step(lambda character: character != "/", repeats=True, jumps=(1,))
_ONE_CHARACTER = _Step(lambda character: character != "/")
_SLASH = _Step(lambda character: character == "/")
_NO_OR_SOME_SEGMENTS = (_Step(lambda _: False, jumps=(1, 3)), _ANY_TEXT, _SLASH)


def matches_glob(pattern: str, value: str) -> bool:
    """Whether `pattern` matches the whole of `value`. `[abc]`, `[a-z]` and `[!x]` match one character of a segment."""
    automaton = _build(pattern)
    taken: dict[str, int] = {}
    positions = automaton.settle(1)
    for character in value:
        takers = taken.get(character)
        if takers is None:
            takers = taken[character] = automaton.takers_of(character)
        moved = positions & takers
        if not moved:
            return False
        stay = moved & automaton.repeats
        positions = automaton.settle(stay | (moved ^ stay) << 1)
    return bool(positions & automaton.end)


def matches_artifact(pattern: str, path: str) -> bool:
    """Whether an artifact's `pattern` takes the file at `path`; a plain path takes the directory of that name whole."""
    plain = pattern.rstrip("/").removeprefix("./")
    if plain == "." or matches_glob(plain, path):
        return True
    return not any(sign in plain for sign in "*?[") and path.startswith(f"{plain}/")


class _Automaton:
    """The steps of a pattern; positions in it are the bits of a number, so that all move on at once."""

    def __init__(self, steps: tuple[_Step, ...]) -> None:
        self._steps = steps
        self.end = 1 << len(steps)
        self.repeats = sum(1 << place for place, step in enumerate(steps) if step.repeats)
        self._jumps = {
            length: sum(1 << place for place, step in enumerate(steps) if length in step.jumps) for length in (1, 3)
        }

    def takers_of(self, character: str) -> int:
        """Return the positions whose steps take a character."""
        return sum(1 << place for place, step in enumerate(self._steps) if step.accepts(character))

    def settle(self, positions: int) -> int:
        """Return the positions and all that can be jumped to from them."""
        fresh = positions
        while fresh:
            reached = 0
            for length, jumpers in self._jumps.items():
                reached |= (fresh & jumpers) << length
            fresh = reached & ~positions
            positions |= fresh
        return positions


@lru_cache(maxsize=512)
def _build(pattern: str) -> _Automaton:
    return _Automaton(_compile(pattern))


def _compile(pattern: str) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    position = 0
    while position < len(pattern):
        added, length = _next_steps(pattern, position)
        steps.extend(added)
        position += length
    return tuple(steps)


def _next_steps(pattern: str, position: int) -> tuple[tuple[_Step, ...], int]:
    if pattern.startswith("**/", position) and (position == 0 or pattern[position - 1] == "/"):
        return _NO_OR_SOME_SEGMENTS, 3
    if pattern.startswith("**", position):
        return (_ANY_TEXT,), 2
    match pattern[position]:
        case "*":
            return (_WITHIN_SEGMENT,), 1
        case "?":
            return (_ONE_CHARACTER,), 1
        case "[" if found := _SET.match(pattern, position):
            return (_one_of(found[2], negated=bool(found[1])),), len(found[0])
        case sign:
            return (_Step(lambda character: character == sign),), 1


def _one_of(members: str, *, negated: bool) -> _Step:
    ranges = [(low, high) if low else (one, one) for low, high, one in _RANGE.findall(members)]
    return _Step(lambda c: c != "/" and any(low <= c <= high for low, high in ranges) is not negated)
