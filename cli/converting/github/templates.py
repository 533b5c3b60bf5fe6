"""Texts with `${{ … }}` in them: as shell text, or as texts in which Headrace fills in `${NAME}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from cli.converting.github.contexts import Scope, secret_name, shell_value, text_value
from cli.converting.github.expressions import Call, Context, Expression, Literal, Logic, Unreadable, read_expression
from cli.converting.scripts import in_double_quotes

_TEMPLATE: Final = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_ONE_NAME: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_PLACE: Final = re.compile(r"\{(\d)\}")

Value = Callable[[str, Scope], str]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text, the secrets it reads by `${NAME}`, and the templates that could not be said and stand there still."""

    text: str
    secrets: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()


def has_template(text: str) -> bool:
    """Tell whether something is to be filled in."""
    return "${{" in text


def as_script(text: str, scope: Scope) -> Rendered:
    """Return a script. What cannot be said stays: a shell stops at it rather than run something else."""
    return _render(text, lambda tree: _value(tree, scope, shell_value), lambda literal: literal)


def as_shell_text(text: str, scope: Scope) -> Rendered:
    """Return text for the double quotes of a shell."""
    return _render(text, lambda tree: _value(tree, scope, shell_value), in_double_quotes)


def as_text(text: str, scope: Scope) -> str:
    """Return text that Headrace fills in; raises Unreadable, also where it reads a secret."""
    rendered = _render(text, lambda tree: _value(tree, scope, text_value), lambda literal: literal.replace("${", "$"))
    if rendered.unread:
        raise Unreadable(f"{rendered.unread[0]} is not known here")
    return rendered.text


def without_templates(text: str) -> str:
    """Return a text for people, with the last word of each template in its place."""
    return _TEMPLATE.sub(lambda match: match[1].strip().rpartition(".")[2], text)


def _render(text: str, value: Callable[[Expression], str], literal: Callable[[str], str]) -> Rendered:
    pieces, secrets, unread, at = [], set[str](), [], 0
    for match in _TEMPLATE.finditer(text):
        pieces.append(literal(text[at : match.start()]))
        at = match.end()
        try:
            tree = read_expression(match[1])
            pieces.append(value(tree))
            secrets |= set(_secrets(tree))
        except Unreadable:
            pieces.append(match[0])
            unread.append(match[0])
    return Rendered("".join((*pieces, literal(text[at:]))), frozenset(secrets), tuple(unread))


def _value(tree: Expression, scope: Scope, of_context: Value) -> str:
    match tree:
        case Literal(text):
            return text
        case Context():
            return of_context(tree.name, scope)
        case Logic("||", operands):
            return _default([_value(each, scope, of_context) for each in operands], nests=of_context is shell_value)
        case Call(function, (Literal(form), *arguments)) if function.lower() == "format":
            return _format(form, [_value(each, scope, of_context) for each in arguments])
    raise Unreadable("a value that is worked out is not known here")


def _format(form: str, values: list[str]) -> str:
    if any(int(number) >= len(values) for number in _PLACE.findall(form)):
        raise Unreadable("format() has too few arguments")
    return _PLACE.sub(lambda match: values[int(match[1])], form)


def _default(values: list[str], *, nests: bool) -> str:
    """Return the first of two that is not empty. A branch or a tag is never both, and one of them is never empty."""
    first, *others = values
    if "${BRANCH}${TAG}" in others:
        return "${BRANCH}${TAG}"
    name = _ONE_NAME.fullmatch(first)
    if name is None or len(others) != 1 or ("}" in others[0] and not nests):
        raise Unreadable("such a choice is not known here")
    return f"${{{name[1]}:-{others[0]}}}"


def _secrets(tree: Expression) -> Iterable[str]:
    match tree:
        case Context():
            return [name] if (name := secret_name(tree.name)) else []
        case Logic(_, operands) | Call(_, operands):
            return [name for each in operands for name in _secrets(each)]
    return []
