"""Cuts the text of a condition into tokens that know where they stand."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_LENGTH: Final = 1_000

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<reference>\$\{[^}]*\})
      | (?P<text>'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*")
      | (?P<number>-?[0-9]+(?:\.[0-9]+)*)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)
      | (?P<sign>==|!=|<=|>=|&&|\|\||[<>!()\[\],])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_HINTS: Final = {
    "'": "this text is not closed",
    '"': "this text is not closed",
    "$": "a variable is written ${NAME}",
    "=": "equality is written ==",
    "&": "and is written &&",
    "|": "or is written ||",
}


class ConditionInvalid(ValueError):
    """The condition cannot be read. `character` counts from 1 within the condition."""

    def __init__(self, message: str, character: int) -> None:
        super().__init__(message)
        self.message = message
        self.character = character


class Token(NamedTuple):
    kind: str
    text: str
    character: int


def tokenize(text: str) -> Iterator[Token]:
    """The tokens of `text`, and one of kind `end`. Raises ConditionInvalid at the first character that fits none."""
    if len(text) > MAX_LENGTH:
        raise ConditionInvalid(f"a condition has at most {MAX_LENGTH} characters", MAX_LENGTH + 1)
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            hint = _HINTS.get(text[position], "this character has no meaning in a condition")
            raise ConditionInvalid(hint, position + 1)
        if match.lastgroup and match.lastgroup != "space":
            yield Token(match.lastgroup, match.group(), position + 1)
        position = match.end()
    yield Token("end", "", len(text) + 1)
