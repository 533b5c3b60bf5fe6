"""Templates: what Jinja has for filling in texts (variables, filters, `if` and `for`), in a sandbox. Pure.

Only what is listed here may be written: what could make much of little, such as joining texts or nesting loops deeply,
would let a template of a few bytes take a worker's memory or time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, meta, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError

LONGEST: Final = 200_000
MOST_OUTPUT: Final = 1_000_000
MOST_LOOPS: Final = 2
LONGEST_LIST: Final = 1000
LONGEST_ARGUMENT: Final = 1000

FILTERS: Final = frozenset(
    {"upper", "lower", "title", "capitalize", "trim", "default", "d", "length", "count", "round", "int", "float"}
    | {"first", "last", "join", "escape", "e", "safe", "truncate", "abs", "sort", "striptags", "urlencode"}
)
TESTS: Final = frozenset({"defined", "undefined", "none", "number", "string", "odd", "even", "eq", "ne", "lt", "gt"})
_NODES: Final = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.If, nodes.For, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
    *(nodes.Filter, nodes.Test, nodes.Neg, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div),
)


class TemplateFault(ValueError):
    """A template cannot be read, or not be filled; the message says where and why."""


class _Environment(ImmutableSandboxedEnvironment):
    """Nothing is called, arithmetic is for numbers, and of a value only what it holds is seen."""

    intercepted_binops = frozenset({"+", "-", "*", "/"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        return False

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(one, int | float) for one in (left, right)):
            raise SecurityError("Only numbers are reckoned with.")
        return super().call_binop(context, operator, left, right)


def _make_environment(*, escapes: bool) -> _Environment:
    made = _Environment(autoescape=escapes, undefined=StrictUndefined, keep_trailing_newline=True)
    made.globals.clear()
    for name in set(made.filters) - FILTERS:
        del made.filters[name]
    for name in set(made.tests) - TESTS:
        del made.tests[name]
    return made


_PLAIN: Final = _make_environment(escapes=False)
_HTML: Final = _make_environment(escapes=True)


def find_variables(*sources: str | None) -> list[str]:
    """Return the names of the variables that templates need; raises TemplateFault for one that cannot be read."""
    trees = [_parse(source) for source in sources if source]
    return sorted(set().union(*(meta.find_undeclared_variables(tree) for tree in trees)))


def render(source: str, variables: Mapping[str, Any], *, escapes: bool) -> str:
    """Fill a template; with `escapes` what variables hold is text and never markup. Raises TemplateFault."""
    _parse(source)
    _refuse_long(variables)
    pieces, size = [], 0
    try:
        for piece in (_HTML if escapes else _PLAIN).from_string(source).generate(dict(variables)):
            size += len(piece)
            if size > MOST_OUTPUT:
                raise TemplateFault(f"Filled, the template is longer than {MOST_OUTPUT} characters.")
            pieces.append(piece)
    except TemplateFault:
        raise
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise TemplateFault(str(error) or type(error).__name__) from error
    return "".join(pieces)


def _parse(source: str) -> nodes.Template:
    if len(source) > LONGEST:
        raise TemplateFault(f"A template has at most {LONGEST} characters.")
    try:
        tree = _PLAIN.parse(source)
        _check(tree, 0)
    except TemplateError as error:
        raise TemplateFault(f"line {getattr(error, 'lineno', 1)}: {error}") from error
    except RecursionError as error:
        raise TemplateFault("The template is nested too deeply.") from error
    return tree


def _check(node: nodes.Node, loops: int) -> None:
    is_target = isinstance(node, nodes.Tuple) and node.ctx == "store"
    if not (isinstance(node, _NODES) or is_target):
        raise TemplateFault(f"line {node.lineno}: {type(node).__name__.lower()} is not for templates.")
    if isinstance(node, nodes.Filter):
        _check_filter(node)
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise TemplateFault(f"line {node.lineno}: there is no test {node.name}.")
    loops += isinstance(node, nodes.For)
    if loops > MOST_LOOPS:
        raise TemplateFault(f"line {node.lineno}: loops are nested at most {MOST_LOOPS} deep.")
    for child in node.iter_child_nodes():
        _check(child, loops)


def _check_filter(node: nodes.Filter) -> None:
    if node.name not in FILTERS:
        raise TemplateFault(f"line {node.lineno}: there is no filter {node.name}.")
    given = [*node.args, *(one.value for one in node.kwargs)]
    is_plain = all(isinstance(one, nodes.Const) and len(str(one.value)) <= LONGEST_ARGUMENT for one in given)
    if not is_plain or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise TemplateFault(f"line {node.lineno}: what a filter is given is a short text or number, written out.")


def _refuse_long(value: Any) -> None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        if len(value) > LONGEST_LIST:
            raise TemplateFault(f"A list or map of a variable has at most {LONGEST_LIST} entries.")
        for one in value:
            _refuse_long(one)
