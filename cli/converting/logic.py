"""The logic of conditions, with what is certain worked out: an answer is true, false, or the text of a condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

NEVER: Final = "false"

Answer = bool | str

_FALSE: Final = frozenset({"", "0", "false"})


def truth(text: str) -> bool:
    """Tell whether a text counts as true."""
    return text.lower() not in _FALSE


def quoted(text: str) -> str:
    """Return a text as a condition writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def compare(sign: str, left: str, right: str) -> str:
    """Return a comparison."""
    return f"{left} {sign} {right}"


def negated(answer: Answer) -> Answer:
    """Return what holds when the answer does not."""
    if isinstance(answer, bool):
        return not answer
    if answer.startswith("!(") and answer.endswith(")") and answer.count("(") == 1:
        return answer[2:-1]
    return f"!({answer})"


def all_of(answers: Iterable[Answer]) -> Answer:
    """Return what holds when all do."""
    return _joined(answers, "&&", neutral=True)


def any_of(answers: Iterable[Answer]) -> Answer:
    """Return what holds when one does."""
    return _joined(answers, "||", neutral=False)


def _joined(answers: Iterable[Answer], sign: str, *, neutral: bool) -> Answer:
    kept: dict[str, None] = {}
    for answer in answers:
        if isinstance(answer, str):
            kept[answer] = None
        elif answer is not neutral:
            return answer
    if not kept:
        return neutral
    if len(kept) == 1:
        return next(iter(kept))
    return f" {sign} ".join(f"({each})" if "&&" in each or "||" in each else each for each in kept)
