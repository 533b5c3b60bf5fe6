"""Reads a query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from app.kernel.errors import FieldError
from app.monitoring.errors import QueryInvalid
from app.monitoring.expressions import is_expression
from app.monitoring.language.nodes import Aggregation, Expression, Matcher, Over, Selector

LONGEST: Final = 2_000
DEEPEST: Final = 8
LONGEST_RANGE: Final = 90 * 86_400.0

AGGREGATIONS: Final = frozenset({"sum", "avg", "min", "max", "count", "quantile"})
FUNCTIONS: Final = frozenset(
    {
        *("rate", "increase", "delta", "last_over_time", "quantile_over_time", "stddev_over_time"),
        *(f"{name}_over_time" for name in ("sum", "avg", "min", "max", "count")),
    }
)
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION: Final = re.compile(r"(\d+)(ms|s|m|h|d|w)")
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<duration>\d+(?:ms|[smhdw])(?:\d+(?:ms|[smhdw]))*)(?![\w.])"""
    r"""|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)"""
    r"""|(?P<name>[^\W\d][\w:./-]*)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<sign>=~|!~|!=|[=(){}\[\],]))"""
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a query, and where it begins."""

    kind: str
    text: str
    at: int


def parse(text: str) -> Expression:
    """Return what a query says; raises QueryInvalid, which names the place."""
    if len(text) > LONGEST:
        raise _fault(f"Must not be longer than {LONGEST} characters.", 0)
    return _Parser(list(_split(text)), len(text)).read()


def read_duration(text: str) -> float | None:
    """Return the seconds of a text such as `1h30m`; None where it is none."""
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        return None
    return sum(int(count) * _SECONDS[unit] for count, unit in _DURATION.findall(text))


def _fault(message: str, at: int) -> QueryInvalid:
    return QueryInvalid(errors=[FieldError("query", f"{message} (character {at + 1})")])


def _split(text: str) -> Iterator[Token]:
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise _fault(f"Cannot be read from {text[at : at + 20]!r} on.", at)
        kind = found.lastgroup or ""
        yield Token(kind, found[kind], found.start(kind))
        at = found.end()


class _Parser:
    """Reads tokens from the left, one ahead."""

    def __init__(self, tokens: list[Token], end: int) -> None:
        self._tokens = [*tokens, Token("end", "the end", end)]
        self._next = 0

    def read(self) -> Expression:
        found = self._expression(1)
        self._take("end")
        return found

    @property
    def _here(self) -> Token:
        return self._tokens[self._next]

    def _is(self, text: str) -> bool:
        return self._here.kind == "sign" and self._here.text == text

    def _take(self, kind: str, text: str | None = None) -> Token:
        token = self._here
        if token.kind != kind or (text is not None and token.text != text):
            raise _fault(f"Expected {text or kind}, not {token.text}.", token.at)
        self._next += kind != "end"
        return token

    def _expression(self, depth: int) -> Expression:
        if depth > DEEPEST:
            raise _fault(f"Must not be nested deeper than {DEEPEST}.", self._here.at)
        name, following = self._here, self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        is_called = following.kind == "sign" and following.text == "("
        grouped = following.kind == "name" and following.text in ("by", "without")
        if name.kind == "name" and name.text in AGGREGATIONS and (is_called or grouped):
            return self._aggregation(depth)
        if name.kind == "name" and is_called:
            return self._over()
        selector = self._selector()
        if selector.seconds is not None:
            raise _fault("A range belongs into a function, such as rate(…[5m]).", name.at)
        return selector

    def _aggregation(self, depth: int) -> Aggregation:
        function = self._take("name").text
        labels, without = self._grouping()
        self._take("sign", "(")
        parameter = self._parameter() if function == "quantile" else None
        of = self._expression(depth + 1)
        self._take("sign", ")")
        if not labels and not without:
            labels, without = self._grouping()
        return Aggregation(function, of, labels, without, parameter)

    def _grouping(self) -> tuple[tuple[str, ...], bool]:
        if self._here.kind != "name" or self._here.text not in ("by", "without"):
            return (), False
        without = self._take("name").text == "without"
        self._take("sign", "(")
        labels = []
        while not self._is(")"):
            labels.append(self._take("name").text)
            if not self._is(")"):
                self._take("sign", ",")
        self._take("sign", ")")
        return tuple(labels), without

    def _parameter(self) -> float:
        token = self._take("number")
        self._take("sign", ",")
        if not 0 <= float(token.text) <= 1:
            raise _fault("A quantile lies from 0 to 1.", token.at)
        return float(token.text)

    def _over(self) -> Over:
        function = self._take("name")
        if function.text not in FUNCTIONS:
            raise _fault(f"There is no function {function.text}.", function.at)
        self._take("sign", "(")
        parameter = self._parameter() if function.text == "quantile_over_time" else None
        selector = self._selector()
        if selector.seconds is None:
            raise _fault(f"{function.text} takes a range, such as [5m].", self._here.at)
        self._take("sign", ")")
        return Over(function.text, selector, parameter)

    def _selector(self) -> Selector:
        start = self._here
        name = self._take("name").text if start.kind == "name" else None
        matchers: tuple[Matcher, ...] = ()
        if self._is("{"):
            quoted, matchers = self._matchers()
            if name and quoted:
                raise _fault("Has two names.", start.at)
            name = name or quoted
        elif name is None:
            raise _fault(f"Expected a name or {{, not {start.text}.", start.at)
        if name is None and not any(_narrows(one) for one in matchers):
            raise _fault("Must name a metric, or a value that a label has: this would read everything.", start.at)
        return replace(Selector(name, matchers), seconds=self._range())

    def _range(self) -> float | None:
        if not self._is("["):
            return None
        self._take("sign", "[")
        token = self._take("duration")
        seconds = read_duration(token.text) or 0.0
        if not 0 < seconds <= LONGEST_RANGE:
            raise _fault("A range is longer than 0 and at most 90d.", token.at)
        self._take("sign", "]")
        return seconds

    def _matchers(self) -> tuple[str | None, tuple[Matcher, ...]]:
        self._take("sign", "{")
        name: str | None = None
        found: list[Matcher] = []
        while not self._is("}"):
            if self._here.kind == "text":
                name = self._string()
            else:
                found.append(self._matcher())
            if not self._is("}"):
                self._take("sign", ",")
        self._take("sign", "}")
        return name, tuple(found)

    def _matcher(self) -> Matcher:
        label = self._take("name").text
        operator = self._take("sign")
        if operator.text not in ("=", "!=", "=~", "!~"):
            raise _fault("Expected =, !=, =~ or !~.", operator.at)
        at = self._here.at
        value = self._string()
        if "~" in operator.text:
            _check_expression(value, at)
        return Matcher(label, operator.text, value)

    def _string(self) -> str:
        token = self._take("text")
        inner = token.text[1:-1]
        if token.text[0] == "'":
            inner = inner.replace("\\'", "'").replace('"', '\\"')
        try:
            return str(json.loads(f'"{inner}"'))
        except ValueError:
            raise _fault("Is not a text.", token.at) from None


def _check_expression(value: str, at: int) -> None:
    # The database matches it, as RE2 would: with neither looking around nor back it need not backtrack.
    if not is_expression(value):
        raise _fault("Is not a regular expression, or looks around or back.", at)


def _narrows(matcher: Matcher) -> bool:
    """Whether a matcher asks for something, rather than for anything or nothing."""
    return matcher.operator in ("=", "=~") and matcher.value not in ("", ".*", ".+")
