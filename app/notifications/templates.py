"""Templates: what Jinja has for filling in texts (variables, filters, `if` and `for`), in a sandbox. Pure.

Only what is listed here may be written: what could make much of little, such as joining texts or nesting loops deeply,
would let a template of a few bytes take memory or time. So would very much of what is no text, which is compiled. What
is left has SECONDS of a processor, looked at between two steps of a loop and two pieces of text.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError, meta, nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST: Final = 200_000
MOST_OUTPUT: Final = 1_000_000
MOST_LOOPS: Final = 2
LONGEST_LIST: Final = 1000
LONGEST_ARGUMENT: Final = 1000
LONGEST_TEXT: Final = 50_000
MOST_FILTERS: Final = 200
# Names, signs and spaces within marks; a variable has three or five.
MOST_TOKENS: Final = 5000
DEEPEST: Final = 50
SECONDS: Final = 1.0
LOOP: Final = frozenset({"index", "index0", "first", "last", "length"})
# Names that no template can write.
_ENDS: Final = "!ends"
_WALK: Final = "!walk"

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

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Of a map what it holds is seen, also where that is called `items`, and of a loop where it is."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        if isinstance(obj, LoopContext) and attribute in LOOP:
            return getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """The same in brackets; lists are counted from 0."""
        if isinstance(obj, list | tuple) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else self.undefined(obj=obj, name=str(argument))
        return self.getattr(obj, argument) if isinstance(argument, str) else self.undefined(obj=obj, name=str(argument))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:  # noqa: ARG002 - of none
        return False

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002 - none is
        return False

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if not all(isinstance(one, int | float) for one in (left, right)):
            raise SecurityError("Only numbers are reckoned with.")
        return super().call_binop(context, operator, left, right)


@pass_context
def _walk(context: Context, values: Any) -> Iterator[Any]:
    for value in values:
        _refuse_slow(context[_ENDS])
        yield value


def _refuse_slow(ends: float) -> None:
    if time.thread_time() > ends:
        raise TemplateFault(f"Filling the template takes longer than {SECONDS:.0f} second.")


def _make_environment(*, escapes: bool) -> _Environment:
    made = _Environment(autoescape=escapes, undefined=StrictUndefined, keep_trailing_newline=True)
    made.globals.clear()
    for name in set(made.filters) - FILTERS:
        del made.filters[name]
    made.filters[_WALK] = _walk
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
    tree = _parse(source)
    _refuse_long(variables)
    try:
        return _fill(_HTML if escapes else _PLAIN, _pace(tree), variables)
    except TemplateFault:
        raise
    except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError, SyntaxError) as error:
        raise TemplateFault(str(error) or type(error).__name__) from error


def _fill(environment: _Environment, tree: nodes.Template, variables: Mapping[str, Any]) -> str:
    pieces, size, ends = [], 0, time.thread_time() + SECONDS
    for piece in environment.from_string(tree).generate({**variables, _ENDS: ends}):
        size += len(piece)
        if size > MOST_OUTPUT:
            raise TemplateFault(f"Filled, the template is longer than {MOST_OUTPUT} characters.")
        _refuse_slow(ends)
        pieces.append(piece)
    return "".join(pieces)


def _pace(tree: nodes.Template) -> nodes.Template:
    """Let each loop look at the time."""
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, _WALK, [], [], None, None, lineno=loop.lineno)
    return tree


def _parse(source: str) -> nodes.Template:
    if len(source) > LONGEST:
        raise TemplateFault(f"A template has at most {LONGEST} characters.")
    try:
        _refuse_much_code(source)
        tree = _PLAIN.parse(source)
        _check(tree, loops=0, depth=0)
    except TemplateError as error:
        raise TemplateFault(f"line {getattr(error, 'lineno', 1)}: {error}") from error
    except RecursionError as error:
        raise TemplateFault("The template is nested too deeply.") from error
    if sum(1 for _ in tree.find_all(nodes.Filter)) > MOST_FILTERS:
        raise TemplateFault(f"A template has at most {MOST_FILTERS} filters.")
    return tree


def _refuse_much_code(source: str) -> None:
    tokens = (kind for _, kind, _ in _PLAIN.lex(source) if kind != "data")
    if next(islice(tokens, MOST_TOKENS, None), None) is not None:
        raise TemplateFault("A template has about a thousand variables at most.")


def _check(node: nodes.Node, *, loops: int, depth: int) -> None:
    is_target = isinstance(node, nodes.Tuple) and node.ctx == "store"
    if not (isinstance(node, _NODES) or is_target):
        raise TemplateFault(f"line {node.lineno}: {type(node).__name__.lower()} is not for templates.")
    if isinstance(node, nodes.Filter):
        _check_filter(node)
    if isinstance(node, nodes.Test) and node.name not in TESTS:
        raise TemplateFault(f"line {node.lineno}: there is no test {node.name}.")
    if isinstance(node, nodes.For) and node.recursive:
        raise TemplateFault(f"line {node.lineno}: a recursive loop is not for templates.")
    loops += isinstance(node, nodes.For)
    if loops > MOST_LOOPS:
        raise TemplateFault(f"line {node.lineno}: loops are nested at most {MOST_LOOPS} deep.")
    if depth > DEEPEST:
        raise TemplateFault(f"line {node.lineno}: the template is nested too deeply.")
    for child in node.iter_child_nodes():
        _check(child, loops=loops, depth=depth + 1)


def _check_filter(node: nodes.Filter) -> None:
    if node.name not in FILTERS:
        raise TemplateFault(f"line {node.lineno}: there is no filter {node.name}.")
    is_plain = all(isinstance(one, nodes.Const) and len(str(one.value)) <= LONGEST_ARGUMENT for one in node.args)
    if not is_plain or node.dyn_args is not None or node.dyn_kwargs is not None:
        raise TemplateFault(f"line {node.lineno}: what a filter is given is a short text or number, written out.")


def _refuse_long(value: Any) -> None:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise TemplateFault(f"A text of a variable has at most {LONGEST_TEXT} characters.")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        if len(value) > LONGEST_LIST:
            raise TemplateFault(f"A list or map of a variable has at most {LONGEST_LIST} entries.")
        for one in value:
            _refuse_long(one)
