"""Reads a condition by recursive descent, one method per line of the grammar:

    any        = all { ("||" | "or") all }
    all        = negation { ("&&" | "and") negation }
    negation   = ("!" | "not") negation | comparison
    comparison = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=") operand | ["not"] "in" list ]
    list       = "[" operand { "," operand } "]"
    operand    = text | number | "true" | "false" | "${NAME}" | "${NAME:-default}" | NAME | "matrix.axis"
               | NAME "(" [ operand { "," operand } ] ")" | "(" any ")"

`!` binds as loosely as `not`: `!A == B` negates the comparison, since comparing a negation is never meant. A bare
NAME is in capitals, so that forgotten quotes, as in `BRANCH == main`, are an error and not an empty variable.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.pipelines.definition.conditions.lexer import ConditionInvalid, Token, tokenize
from app.pipelines.definition.conditions.syntax import (
    COMPARISONS,
    STATE_FUNCTIONS,
    TEXT_FUNCTIONS,
    Call,
    Comparison,
    Every,
    Expression,
    Interpolated,
    Literal,
    Member,
    Not,
    Some,
    Variable,
)
from app.pipelines.definition.expansion import malformed_reference, matrix_axes, read_reference

MAX_DEPTH: Final = 20

_ESCAPE = re.compile(r"\\(['\"\\])")
_BARE_NAME = re.compile(r"[A-Z_][A-Z0-9_]*|matrix\..+")
_KEYWORDS: Final = frozenset({"and", "or", "not", "in", "true", "false"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that has been read. `axes` are the matrix axes it names, with the character each stands at."""

    root: Expression
    asks_state: bool
    axes: tuple[tuple[str, int], ...]


@lru_cache(maxsize=512)
def parse_condition(text: str) -> Condition:
    """Read `text`. Raises ConditionInvalid."""
    tokens = list(tokenize(text))
    root = _Parser(tokens).expression()
    asks_state = any(token.kind == "name" and token.text in STATE_FUNCTIONS for token in tokens)
    return Condition(root, asks_state, tuple(_axes(tokens)))


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def expression(self) -> Expression:
        root = self._any()
        if self._next.kind != "end":
            raise self._refusal("an operator such as == or && is expected here")
        return root

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _any(self) -> Expression:
        operands = [self._all()]
        while self._take("||", "or"):
            operands.append(self._all())
        return operands[0] if len(operands) == 1 else Some(tuple(operands))

    def _all(self) -> Expression:
        operands = [self._negation()]
        while self._take("&&", "and"):
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else Every(tuple(operands))

    def _negation(self) -> Expression:
        if not self._take("!", "not"):
            return self._comparison()
        self._enter()
        operand = Not(self._negation())
        self._depth -= 1
        return operand

    def _comparison(self) -> Expression:
        left = self._operand()
        if sign := self._take(*COMPARISONS):
            right = self._operand()
            if self._next.text in COMPARISONS:
                raise self._refusal("comparisons do not chain; join two of them with &&")
            return Comparison(sign, left, right)
        if self._take("in"):
            return Member(left, self._list())
        if self._take("not"):
            self._expect("in")
            return Not(Member(left, self._list()))
        return left

    def _list(self) -> tuple[Expression, ...]:
        self._expect("[")
        choices = [self._operand()]
        while self._take(","):
            choices.append(self._operand())
        self._expect("]")
        return tuple(choices)

    def _operand(self) -> Expression:
        if self._take("("):
            self._enter()
            inside = self._any()
            self._depth -= 1
            self._expect(")")
            return inside
        token = self._next
        if token.kind in ("sign", "end") or (token.text in _KEYWORDS and token.text not in ("true", "false")):
            raise self._refusal("a value is expected here")
        self._position += 1
        return self._name(token) if token.kind == "name" else _value(token)

    def _name(self, token: Token) -> Expression:
        if token.text in ("true", "false"):
            return Literal(token.text)
        if self._next.text == "(" and self._next.kind == "sign":
            return self._call(token)
        if not _BARE_NAME.fullmatch(token.text):
            meant = f"text is written in quotes: '{token.text}'; a variable that is not in capitals as ${{NAME}}"
            raise ConditionInvalid(meant, token.character)
        return Variable(token.text, None)

    def _call(self, name: Token) -> Expression:
        if name.text not in STATE_FUNCTIONS and name.text not in TEXT_FUNCTIONS:
            known = ", ".join([*TEXT_FUNCTIONS, *STATE_FUNCTIONS])
            raise ConditionInvalid(f"there is no function {name.text}; there are {known}", name.character)
        arguments = self._arguments()
        wanted = 0 if name.text in STATE_FUNCTIONS else 2
        if len(arguments) != wanted:
            raise ConditionInvalid(f"{name.text}() takes {wanted or 'no'} arguments", name.character)
        return Call(name.text, arguments)

    def _arguments(self) -> tuple[Expression, ...]:
        self._expect("(")
        if self._take(")"):
            return ()
        self._enter()
        arguments = [self._operand()]
        while self._take(","):
            arguments.append(self._operand())
        self._depth -= 1
        self._expect(")")
        return tuple(arguments)

    def _take(self, *words: str) -> str:
        """Step over the next token if it is one of `words`, and give it; else the empty text."""
        token = self._next
        if token.kind not in ("sign", "name") or token.text not in words:
            return ""
        self._position += 1
        return token.text

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._refusal(f"'{word}' is expected here")

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._refusal(f"a condition nests at most {MAX_DEPTH} levels")

    def _refusal(self, message: str) -> ConditionInvalid:
        return ConditionInvalid(message, self._next.character)


def _value(token: Token) -> Expression:
    match token.kind:
        case "number":
            return Literal(token.text)
        case "text":
            return _text(token)
    reference = read_reference(token.text)
    if reference is None:
        raise ConditionInvalid("a variable is written ${NAME} or ${NAME:-default}", token.character)
    return Variable(*reference)


def _text(token: Token) -> Expression:
    inside = _ESCAPE.sub(r"\1", token.text[1:-1])
    if token.text.startswith("'"):
        return Literal(inside)
    if at := malformed_reference(token.text):
        raise ConditionInvalid("a variable is written ${NAME} or ${NAME:-default}", token.character + at - 1)
    return Interpolated(inside)


def _axes(tokens: list[Token]) -> list[tuple[str, int]]:
    found = []
    for token in tokens:
        if token.kind == "name" and token.text.startswith("matrix."):
            found.append((token.text.removeprefix("matrix."), token.character))
        elif token.kind == "reference" or (token.kind == "text" and token.text.startswith('"')):
            found.extend((axis, token.character + at - 1) for axis, at in matrix_axes(token.text))
    return found
