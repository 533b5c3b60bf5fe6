"""The tree of a condition and what each node is worth.

There is one kind of value, text: variables are text, numbers are the text they are written as. A comparison gives
`true` or `false`, which are also just texts.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Protocol

from app.pipelines.definition.expansion import expand, look_up
from app.pipelines.definition.globs import matches_glob

_DOTTED = re.compile(r"(-?[0-9]{1,18})((?:\.[0-9]{1,18})*)", re.ASCII)
_FALSE: Final = frozenset({"", "0", "false"})


@dataclass(frozen=True, slots=True)
class State:
    """What went before: for a stage the stages it needs, for a step the steps before it."""

    failed: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    variables: Mapping[str, str]
    state: State


class Expression(Protocol):
    def value(self, scope: Scope) -> str: ...


@dataclass(frozen=True, slots=True)
class Literal:
    text: str

    def value(self, _scope: Scope) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Interpolated:
    """Text in double quotes, where references are filled in."""

    text: str

    def value(self, scope: Scope) -> str:
        return expand(self.text, scope.variables)


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    default: str | None

    def value(self, scope: Scope) -> str:
        return look_up(self.name, self.default, scope.variables)


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression

    def value(self, scope: Scope) -> str:
        return _answer(not is_true(self.operand.value(scope)))


@dataclass(frozen=True, slots=True)
class Every:
    operands: tuple[Expression, ...]

    def value(self, scope: Scope) -> str:
        return _answer(all(is_true(operand.value(scope)) for operand in self.operands))


@dataclass(frozen=True, slots=True)
class Some:
    operands: tuple[Expression, ...]

    def value(self, scope: Scope) -> str:
        return _answer(any(is_true(operand.value(scope)) for operand in self.operands))


@dataclass(frozen=True, slots=True)
class Comparison:
    sign: str
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> str:
        return _answer(_compare(self.sign, self.left.value(scope), self.right.value(scope)))


@dataclass(frozen=True, slots=True)
class Member:
    """`left in [a, b]`."""

    left: Expression
    choices: tuple[Expression, ...]

    def value(self, scope: Scope) -> str:
        wanted = self.left.value(scope)
        return _answer(any(choice.value(scope) == wanted for choice in self.choices))


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]

    def value(self, scope: Scope) -> str:
        if self.function in STATE_FUNCTIONS:
            return _answer(STATE_FUNCTIONS[self.function](scope.state))
        left, right = (argument.value(scope) for argument in self.arguments)
        return _answer(TEXT_FUNCTIONS[self.function](left, right))


COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": eq,
    "!=": ne,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
STATE_FUNCTIONS: Final[dict[str, Callable[[State], bool]]] = {
    "success": lambda state: not state.failed,
    "failure": lambda state: state.failed,
    "always": lambda _: True,
}
TEXT_FUNCTIONS: Final[dict[str, Callable[[str, str], bool]]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, start: text.startswith(start),
    "endsWith": lambda text, end: text.endswith(end),
    "matches": lambda text, glob: matches_glob(glob, text),
}


def is_true(value: str) -> bool:
    """Whether a value counts as true: everything but empty, `0` and `false` (in any case)."""
    return value.lower() not in _FALSE


def _answer(held: bool) -> str:
    return "true" if held else "false"


def _compare(sign: str, left: str, right: str) -> bool:
    """Equality is of the texts as written. Order is of numbers and versions part by part, so that 3.9 < 3.11."""
    if sign in ("==", "!="):
        return COMPARISONS[sign](left, right)
    parts = _parts(left), _parts(right)
    if parts[0] is None or parts[1] is None:
        return COMPARISONS[sign](left, right)
    longest = max(len(parts[0]), len(parts[1]))
    return COMPARISONS[sign](*([*numbers, *[0] * (longest - len(numbers))] for numbers in (parts[0], parts[1])))


def _parts(text: str) -> list[int] | None:
    match = _DOTTED.fullmatch(text)
    return [int(match[1]), *(int(part) for part in match[2].split(".")[1:])] if match else None
