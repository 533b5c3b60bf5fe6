"""The expressions of `rules: if` and `only: variables`, read straight into conditions."""

from __future__ import annotations

import re
from typing import Final

from cli.converting.gitlab.variables import DEFAULT_BRANCH, SOURCES, VALUES, Known
from cli.converting.logic import Answer, all_of, any_of, compare, negated, quoted, truth

DEEPEST: Final = 40
# There is one repository here, and its own branches and requests are told apart by their events.
_OF_THE_PROJECT: Final = ("CI_PROJECT_PATH", "CI_PROJECT_NAMESPACE", "CI_PROJECT_ROOT_NAMESPACE", "CI_PROJECT_NAME")
_THEIR_OWN: Final = ("CI_", "GITLAB_")
MOST_CHARACTERS: Final = 4000

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<name>\$[A-Za-z_][A-Za-z0-9_]*|\$\{[A-Za-z_][A-Za-z0-9_]*\})|(?P<text>"[^"]*"|'[^']*')"""
    r"""|(?P<regex>/(?:[^/\\]|\\.)+/[a-z]*)|(?P<null>null\b)|(?P<sign>==|!=|=~|!~|&&|\|\||[()]))""",
    re.ASCII,
)
_LITERAL: Final = re.compile(r"(\^?)((?:[A-Za-z0-9 _/@:-]|\\.)*)(\.\*)?(\$?)")


class Unreadable(ValueError):
    """The expression says what Headrace has no words for."""


def read_expression(text: str, known: Known) -> Answer:
    """Return what an expression asks for; raises Unreadable."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("it is too long")
    reader = _Reader(text, known)
    answer = reader.either(0)
    if reader.kind != "end":
        raise Unreadable(f"{reader.text!r} is not expected there")
    return answer


def matches(operand: str, pattern: str) -> Answer:
    """Return the condition for a regular expression that is plain enough; raises Unreadable."""
    body, _, flags = pattern[1:].rpartition("/")
    choices = re.fullmatch(r"\^\(([^()]+)\)\$", body)
    if choices and not flags:
        return any_of(matches(operand, f"/^{each}$/") for each in choices[1].split("|"))
    found = _LITERAL.fullmatch(body)
    if found is None or flags or re.search(r"\\[A-Za-z0-9]", found[2]):
        raise Unreadable(f"the pattern {pattern} is not known here")
    start, middle, rest, end = found.groups()
    text = quoted(re.sub(r"\\(.)", r"\1", middle))
    if start and end and not rest:
        return f"{operand} == {text}"
    if middle == "":
        return f"{operand} != ''"
    if start:
        return f"startsWith({operand}, {text})"
    return f"endsWith({operand}, {text})" if end and not rest else f"contains({operand}, {text})"


def operand_of(name: str, known: Known) -> str:
    """Return a variable as a condition names it; raises Unreadable."""
    if name in known.axes:
        return f"matrix.{name}"
    if name in known.exported:
        raise Unreadable(f"{name} is worked out from others")
    if name.startswith(_THEIR_OWN) and name not in (*VALUES, *known.plain, DEFAULT_BRANCH):
        raise Unreadable(f"{name} is not known here")
    value = VALUES.get(name, f"${{{name}}}")
    return value if value.count("${") == 1 else f'"{value}"'


class _Reader:
    def __init__(self, text: str, known: Known) -> None:
        self._source = text.strip()
        self._known = known
        self._at = 0
        self.kind, self.text = "", ""
        self._advance()

    def _advance(self) -> None:
        if self._at >= len(self._source):
            self.kind, self.text = "end", ""
            return
        match = _TOKEN.match(self._source, self._at)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"{self._source[self._at]!r} is not expected there")
        self.kind, self.text, self._at = match.lastgroup, match[match.lastgroup], match.end()

    def _take(self, sign: str) -> bool:
        if self.kind != "sign" or self.text != sign:
            return False
        self._advance()
        return True

    def either(self, depth: int) -> Answer:
        if depth > DEEPEST:
            raise Unreadable("it is nested too deeply")
        found = [self._both(depth)]
        while self._take("||"):
            found.append(self._both(depth))
        return any_of(found)

    def _both(self, depth: int) -> Answer:
        found = [self._one(depth)]
        while self._take("&&"):
            found.append(self._one(depth))
        return all_of(found)

    def _one(self, depth: int) -> Answer:
        if self._take("("):
            inner = self.either(depth + 1)
            if not self._take(")"):
                raise Unreadable("')' is missing")
            return inner
        kind, left = self._value()
        for sign in ("==", "!=", "=~", "!~"):
            if self._take(sign):
                return self._compared(sign, kind, left)
        return self._alone(kind, left)

    def _value(self) -> tuple[str, str]:
        kind, text = self.kind, self.text
        if kind not in ("name", "text", "regex", "null"):
            raise Unreadable(f"{text!r} is not expected there")
        self._advance()
        return kind, text.strip("${}") if kind == "name" else text[1:-1] if kind == "text" else text

    def _alone(self, kind: str, left: str) -> Answer:
        if kind != "name":
            return truth(left)
        if left == "CI_OPEN_MERGE_REQUESTS":
            return False
        if left == "CI_COMMIT_BRANCH":
            return "BRANCH && !CI_PULL_REQUEST"
        return f"{operand_of(left, self._known)} != ''"

    def _compared(self, sign: str, kind: str, left: str) -> Answer:
        other, right = self._value()
        if kind != "name":
            kind, left, other, right = other, right, kind, left
        if kind != "name":
            raise Unreadable("two texts are compared")
        if sign in ("=~", "!~"):
            if other != "regex":
                raise Unreadable("a pattern in a variable is not known here")
            found = matches(operand_of(left, self._known), right)
        else:
            found = self._equal(left, other, right)
        return negated(found) if sign[0] == "!" else found

    def _equal(self, left: str, kind: str, right: str) -> Answer:
        if left == "CI_PIPELINE_SOURCE" and kind == "text":
            return any_of(f"CI_EVENT == {quoted(event)}" for event in SOURCES.get(right, ()))
        if left in _OF_THE_PROJECT and kind == "text":
            return True
        if kind == "null" or (kind == "text" and right == ""):
            return f"{operand_of(left, self._known)} == ''"
        if kind == "name":
            return compare("==", operand_of(left, self._known), operand_of(right, self._known))
        return compare("==", operand_of(left, self._known), quoted(right))
