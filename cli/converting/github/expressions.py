"""The expressions of GitHub Actions, read into a tree: literals, contexts, calls, comparisons and logic."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MOST_CHARACTERS: Final = 4000
DEEPEST: Final = 40

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?|0x[0-9a-fA-F]+)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign>==|!=|<=|>=|&&|\|\||[<>!()\[\],.*]))""",
    re.ASCII,
)
_CONSTANTS: Final = {"true": "true", "false": "false", "null": ""}
_COMPARISONS: Final = ("==", "!=", "<", "<=", ">", ">=")


class Unreadable(ValueError):
    """The expression cannot be read, or says what Headrace has no words for; the message says what."""


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """A value such as `github.event.number`, its parts in the case they were written in."""

    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    operand: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    """`sign` is `&&` or `||`."""

    sign: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    sign: str
    left: Expression
    right: Expression


Expression = Literal | Context | Call | Not | Logic | Comparison


def read_expression(text: str) -> Expression:
    """Read one expression, without `${{ }}` around it. Raises Unreadable."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("the expression is too long")
    reader = _Reader(list(_tokens(text)))
    found = reader.either(0)
    if reader.peek():
        raise Unreadable(f"{reader.peek()!r} is not expected there")
    return found


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, text = 0, text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"{text[at]!r} has no meaning in an expression")
        yield match.lastgroup, match[match.lastgroup]
        at = match.end()


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise Unreadable("the expression ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, sign: str) -> bool:
        taken = self._at < len(self._tokens) and self._tokens[self._at] == ("sign", sign)
        self._at += taken
        return taken

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise Unreadable(f"{sign!r} is missing")

    def either(self, depth: int) -> Expression:
        if depth > DEEPEST:
            raise Unreadable("the expression is nested too deeply")
        operands = [self._both(depth + 1)]
        while self._take("||"):
            operands.append(self._both(depth + 1))
        return operands[0] if len(operands) == 1 else Logic("||", tuple(operands))

    def _both(self, depth: int) -> Expression:
        operands = [self._comparison(depth)]
        while self._take("&&"):
            operands.append(self._comparison(depth))
        return operands[0] if len(operands) == 1 else Logic("&&", tuple(operands))

    def _comparison(self, depth: int) -> Expression:
        left = self._unary(depth)
        sign = self.peek()
        if sign in _COMPARISONS and self._take(sign):
            return Comparison(sign, left, self._unary(depth))
        return left

    def _unary(self, depth: int) -> Expression:
        if depth > DEEPEST:
            raise Unreadable("the expression is nested too deeply")
        if self._take("!"):
            return Not(self._unary(depth + 1))
        if self._take("("):
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        return self._value(depth)

    def _value(self, depth: int) -> Expression:
        kind, text = self._next()
        if kind == "text":
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "number":
            return Literal(text)
        if kind != "name":
            raise Unreadable(f"{text!r} is not expected there")
        if self._take("("):
            return Call(text, tuple(self._arguments(depth)))
        return Literal(_CONSTANTS[text.lower()]) if text.lower() in _CONSTANTS else self._context(text, depth)

    def _arguments(self, depth: int) -> Iterator[Expression]:
        if self._take(")"):
            return
        yield self.either(depth + 1)
        while self._take(","):
            yield self.either(depth + 1)
        self._expect(")")

    def _context(self, first: str, depth: int) -> Expression:
        parts = [first]
        while True:
            if self._take("."):
                parts.append(self._next()[1])
            elif self._take("["):
                index = self.either(depth + 1)
                self._expect("]")
                parts.append(index.text if isinstance(index, Literal) else "*")
            else:
                return Context(tuple(parts))
