"""Globs over paths and branch names: `*` and `?` stay within one segment, `**` crosses `/`.

Patterns come from repositories, so they are matched by walking all positions at once: a pattern of a hundred stars
costs its length times the text's, where a translation to a regular expression would backtrack without end.
"""

import re
from collections.abc import Callable, Iterable
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
    steps = _compile(pattern)
    positions = _settle([0], steps)
    for character in value:
        positions = _settle(_advance(positions, steps, character), steps)
        if not positions:
            return False
    return len(steps) in positions


def matches_artifact(pattern: str, path: str) -> bool:
    """Whether an artifact's `pattern` takes the file at `path`; a plain path takes the directory of that name whole."""
    plain = pattern.rstrip("/").removeprefix("./")
    if plain == "." or matches_glob(plain, path):
        return True
    return not any(sign in plain for sign in "*?[") and path.startswith(f"{plain}/")


def _advance(positions: Iterable[int], steps: tuple[_Step, ...], character: str) -> list[int]:
    takers = [p for p in positions if p < len(steps) and steps[p].accepts(character)]
    return [p if steps[p].repeats else p + 1 for p in takers]


def _settle(positions: list[int], steps: tuple[_Step, ...]) -> set[int]:
    """The positions and all that can be jumped to from them."""
    settled: set[int] = set()
    while positions:
        position = positions.pop()
        if position not in settled:
            settled.add(position)
            jumps = steps[position].jumps if position < len(steps) else ()
            positions.extend(position + jump for jump in jumps)
    return settled


@lru_cache(maxsize=512)
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
