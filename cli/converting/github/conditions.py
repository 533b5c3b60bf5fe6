"""Conditions of GitHub Actions as conditions of headrace.yml. What is known beforehand is worked out beforehand."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from cli.converting.github.contexts import Scope, text_value
from cli.converting.github.expressions import (
    Call,
    Comparison,
    Context,
    Expression,
    Literal,
    Logic,
    Not,
    Unreadable,
    read_expression,
)
from cli.converting.logic import NEVER, Answer, all_of, any_of, compare, negated, quoted, truth

EVENTS: Final = {
    "push": ("git_push", "git_tag"),
    "pull_request": ("pull_request",),
    "pull_request_target": ("pull_request",),
    "schedule": ("schedule",),
    "workflow_dispatch": ("manual", "api"),
    "repository_dispatch": ("api",),
    "release": ("webhook",),
    "merge_group": (),
    "workflow_run": ("pipeline",),
}
_REPOSITORIES: Final = ("github.repository", "github.repository_owner", "github.event.repository.full_name")
_OF_REQUESTS: Final = "github.event.pull_request.head.repo.full_name"
_BASES: Final = ("github.repository", "github.event.pull_request.base.repo.full_name")
_FIXED: Final = {
    "runner.os": "Linux",
    "github.event.pull_request.draft": "false",
    "github.event.pull_request.head.repo.fork": "false",
    "github.event.repository.fork": "false",
    "github.repository_owner": None,
}
_STATES: Final = {"always": "always()", "success": "success()", "failure": "failure()"}
_FOLDED: Final[dict[str, Callable[[str, str], bool]]] = {
    "startsWith": lambda text, start: text.lower().startswith(start.lower()),
    "endsWith": lambda text, end: text.lower().endswith(end.lower()),
    "contains": lambda text, part: part.lower() in text.lower(),
}
_HEADS, _TAGS = "refs/heads/", "refs/tags/"


def read_condition(text: str, scope: Scope) -> str | None:
    """Return the condition, None where it always holds; raises Unreadable."""
    stripped = text.strip()
    if stripped.startswith("${{") and stripped.endswith("}}") and "${{" not in stripped[3:]:
        stripped = stripped[3:-2]
    elif "${{" in stripped:
        raise Unreadable("an expression within text is not known here")
    found = _answer(read_expression(stripped), scope)
    return None if found is True else NEVER if found is False else found


def _answer(tree: Expression, scope: Scope) -> Answer:
    match tree:
        case Logic("&&", operands):
            return all_of(_answer(each, scope) for each in operands)
        case Logic(_, operands):
            return any_of(_answer(each, scope) for each in operands)
        case Not(Call("cancelled", ())):
            return "always()"
        case Not(operand):
            return negated(_answer(operand, scope))
        case Comparison(sign, left, right):
            return _comparison(sign, left, right, scope)
        case Call(function, arguments):
            return _call(function, arguments, scope)
        case Literal(text):
            return truth(text)
        case Context():
            return _holds(tree.name, scope)


def _holds(context: str, scope: Scope) -> Answer:
    if context == "github.event.pull_request":
        return "CI_PULL_REQUEST"
    operand = _operand(Context(tuple(context.split("."))), scope)
    return truth(operand.text) if isinstance(operand, Literal) else operand


def _call(function: str, arguments: tuple[Expression, ...], scope: Scope) -> Answer:
    name = function if function in _FOLDED else function[:1].lower() + function[1:]
    if not arguments:
        if name == "cancelled":
            return False
        if name in _STATES:
            return _STATES[name]
    if name in _FOLDED and len(arguments) == 2:
        return _text_call(name, *arguments, scope=scope)
    raise Unreadable(f"{function}() is not known here")


def _text_call(name: str, whole: Expression, part: Expression, *, scope: Scope) -> Answer:
    wanted = _operand(part, scope)
    if not isinstance(wanted, Literal):
        raise Unreadable(f"{name}() of a value that is not written out is not known here")
    if whole == Context(("github", "ref")):
        return _of_ref(name, wanted.text)
    given = _operand(whole, scope)
    if isinstance(given, Literal):
        return _FOLDED[name](given.text, wanted.text)
    return f"{name}({given}, {quoted(wanted.text)})"


def _of_ref(name: str, part: str) -> Answer:
    if name == "startsWith":
        for prefix, variable in ((_HEADS, "BRANCH"), (_TAGS, "TAG")):
            if part.startswith(prefix):
                rest = part.removeprefix(prefix)
                return f"startsWith({variable}, {quoted(rest)})" if rest else variable
        if part == "refs/pull/":
            return "CI_PULL_REQUEST"
    if name == "contains" and part.strip("/") in ("tags", "refs/tags"):
        return "TAG"
    if part.startswith("refs/"):
        raise Unreadable(f"{name}(github.ref, {part!r}) is not known here")
    return f'{name}("${{BRANCH}}${{TAG}}", {quoted(part)})'


def _comparison(sign: str, left: Expression, right: Expression, scope: Scope) -> Answer:
    if isinstance(left, Literal) and not isinstance(right, Literal):
        left, right, sign = right, left, {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
    if isinstance(left, Context) and sign in ("==", "!="):
        found = _known(left.name, right)
        if found is not None:
            return found if sign == "==" else negated(found)
    one, other = _operand(left, scope), _operand(right, scope)
    if isinstance(one, Literal) and isinstance(other, Literal):
        signs = {"==": operator.eq, "!=": operator.ne}
        if sign in signs:
            return bool(signs[sign](one.text.lower(), other.text.lower()))
    return compare(sign, *(quoted(each.text) if isinstance(each, Literal) else each for each in (one, other)))


def _known(context: str, right: Expression) -> Answer | None:
    """Return what an equation of certain contexts is worth here, or None for all others."""
    if isinstance(right, Context):
        pair = {context, right.name}
        return True if _OF_REQUESTS in pair and pair & set(_BASES) else None
    if not isinstance(right, Literal):
        return None
    if context == "github.event_name":
        return _event(right.text)
    if context in _REPOSITORIES or context == _OF_REQUESTS:
        return True
    if context == "github.ref":
        return _ref(right.text)
    if context == "github.ref_type":
        return "TAG" if right.text == "tag" else "BRANCH"
    return None


def _event(name: str) -> Answer:
    if name not in EVENTS:
        return False
    return any_of(f"CI_EVENT == {quoted(event)}" for event in EVENTS[name])


def _ref(text: str) -> Answer:
    for prefix, variable in ((_HEADS, "BRANCH"), (_TAGS, "TAG")):
        if text.startswith(prefix):
            return f"{variable} == {quoted(text.removeprefix(prefix))}"
    return False


def _operand(tree: Expression, scope: Scope) -> Literal | str:
    """Return a literal, or the text of a condition's operand."""
    if isinstance(tree, Literal):
        return tree
    if not isinstance(tree, Context):
        raise Unreadable("a value that is worked out is not known here")
    name = tree.name
    if fixed := _FIXED.get(name):
        return Literal(fixed)
    if name.startswith("matrix."):
        axis = name.removeprefix("matrix.")
        if axis in scope.fixed:
            return Literal(scope.fixed[axis])
        return f"matrix.{scope.axes[axis]}" if axis in scope.axes else Literal("")
    if name.startswith("env.") and name.removeprefix("env.") in scope.exported:
        raise Unreadable(f"{name} is set by scripts alone")
    value = text_value(name, scope)
    return value if value.count("${") == 1 and value.startswith("${") else f'"{value}"'
