"""Conditions: a small language with a real parser, and no way to reach anything but variables and the run's state."""

from collections.abc import Mapping

from app.pipelines.definition.conditions.lexer import ConditionInvalid
from app.pipelines.definition.conditions.parser import Condition, parse_condition
from app.pipelines.definition.conditions.syntax import Scope, State, is_true

__all__ = ["Condition", "ConditionInvalid", "State", "evaluate", "parse_condition", "should_run", "with_state"]

_STATES = {"on_success": "success()", "on_failure": "failure()", "always": "always()"}


def with_state(when: str | None, expression: str | None) -> str | None:
    """The expression of `when` (on_success, on_failure, always) and a condition that does not ask for the state."""
    if when is None:
        return expression
    return f"{_STATES[when]} && ({expression})" if expression is not None else _STATES[when]


def evaluate(expression: str, variables: Mapping[str, str], state: State) -> bool:
    """Whether `expression` holds, nothing implied. A variable that is not set is empty. Raises ConditionInvalid."""
    return is_true(parse_condition(expression).root.value(Scope(variables, state)))


def should_run(expression: str | None, variables: Mapping[str, str], state: State) -> bool:
    """Whether a stage or step runs: one that does not ask for the state itself runs only if nothing before failed."""
    if expression is None:
        return not state.failed
    if state.failed and not parse_condition(expression).asks_state:
        return False
    return evaluate(expression, variables, state)
