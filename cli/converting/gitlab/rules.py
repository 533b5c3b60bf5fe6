"""When a job runs: `rules`, `only` and `except`, `when`, as a condition, a state and an approval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.pipelines.definition.tree import Mapping, Node, Scalar
from cli.converting.gitlab.expressions import Unreadable, matches, read_expression
from cli.converting.gitlab.variables import Known
from cli.converting.logic import Answer, all_of, any_of, negated, quoted
from cli.converting.notes import Notes
from cli.converting.shaping import NEVER, Tree
from cli.converting.source import entries, get, items, line_of, text_of, texts

_STATES: Final = ("on_success", "on_failure", "always")
_REFS: Final = {
    "branches": "BRANCH && !CI_PULL_REQUEST",
    "tags": "TAG",
    "merge_requests": "CI_PULL_REQUEST",
    "external_pull_requests": "CI_PULL_REQUEST",
    "schedules": "CI_EVENT == 'schedule'",
    "web": "CI_EVENT == 'manual'",
    "api": "CI_EVENT == 'api'",
    "triggers": "CI_EVENT == 'api'",
    "pipelines": "CI_EVENT == 'pipeline'",
    "pushes": "CI_EVENT in ['git_push', 'git_tag']",
}


@dataclass(frozen=True, slots=True)
class When:
    """What was made out of a job's rules. `answer` is when it is there at all, `state` one of GitLab's `when`."""

    answer: Answer
    state: str = "on_success"


def read_when(job: Node, known: Known, notes: Notes, part: Tree) -> When:
    """Return when a job runs; what cannot be said makes it never run."""
    state = text_of(get(job, "when")) or "on_success"
    try:
        if (rules := get(job, "rules")) is not None:
            return read_rules(rules, state, known, notes, part)
        answer = _refs(get(job, "only"), known, notes, part, default=True)
        without = _refs(get(job, "except"), known, notes, part, default=False)
        return When(all_of((answer, negated(without))), state)
    except Unreadable as error:
        node = get(job, "rules") or get(job, "only") or get(job, "except")
        notes.lost(line_of(node), "rules", f"cannot be said here ({error}); it never runs until you say it", part)
        return When(NEVER, state)


def give(when: When, notes: Notes, line: int | None, part: Tree) -> bool:
    """Give a stage what its rules came to; tell whether there is anything left that could run."""
    if when.answer is False or when.state == "never":
        return False
    if isinstance(when.answer, str):
        part["condition"] = when.answer
    if when.state in ("on_failure", "always"):
        part["when"] = when.state
    elif when.state == "manual":
        part["approval"] = {"description": "Started by hand in GitLab."}
    elif when.state == "delayed":
        notes.lost(line, "when: delayed", "it starts at once", part)
    return True


def read_rules(rules: Node, default: str, known: Known, notes: Notes, part: Tree) -> When:
    """Work a list of rules out from its end: each holds where none before it did. Raises Unreadable."""
    answer: Answer = False
    states: list[str] = []
    for rule in reversed(items(rules)):
        state = text_of(get(rule, "when")) or default
        holds = _rule(rule, known, notes, part)
        if state == "never":
            answer = all_of((negated(holds), answer))
            continue
        answer = any_of((holds, answer))
        states.append(state)
    return When(answer, _one_state(states, line_of(rules), notes, part))


def _one_state(states: list[str], line: int | None, notes: Notes, part: Tree) -> str:
    different = sorted(set(states))
    if len(different) < 2:
        return different[0] if different else "on_success"
    kept = "on_success" if "on_success" in different else different[0]
    notes.lost(line, "rules: when", f"differs from rule to rule ({', '.join(different)}); it is {kept} in all", part)
    return kept


def _rule(rule: Node, known: Known, notes: Notes, part: Tree) -> Answer:
    for entry in entries(rule):
        if entry.key in ("changes", "exists"):
            notes.lost(entry.place.line, f"rules: {entry.key}", "is taken to hold always", part)
        elif entry.key == "variables":
            notes.lost(entry.place.line, "rules: variables", "are left out", part)
        elif entry.key not in ("if", "when", "allow_failure", "needs", "interruptible"):
            notes.lost(entry.place.line, f"rules: {entry.key}", "is not known here", part)
    expression = text_of(get(rule, "if"))
    return True if expression is None else read_expression(expression, known)


def _refs(node: Node | None, known: Known, notes: Notes, part: Tree, *, default: bool) -> Answer:
    if node is None:
        return default
    if not isinstance(node, Mapping):
        return any_of(_ref(text) for text in texts(node))
    found: list[Answer] = []
    for entry in entries(node):
        if entry.key == "refs":
            found.append(any_of(_ref(text) for text in texts(entry.node)))
        elif entry.key == "variables":
            found.append(any_of(read_expression(text, known) for text in texts(entry.node)))
        else:
            notes.lost(entry.place.line, f"only: {entry.key}", "is left out", part)
    return (all_of if default else any_of)(found) if found else default


def _ref(text: str) -> Answer:
    if text in _REFS:
        return _REFS[text]
    name = text.partition("@")[0]
    if name.startswith("/"):
        return matches('"${BRANCH}${TAG}"', name)
    return f"BRANCH == {quoted(name)}"


def mentions(node: Node | None, *words: str) -> bool:
    """Tell whether some text within a part of the file holds one of the words."""
    waiting = [node] if node is not None else []
    while waiting:
        each = waiting.pop()
        if isinstance(each, Scalar):
            if any(word in each.text for word in words):
                return True
        elif isinstance(each, Mapping):
            waiting += [entry.node for entry in each.entries.values()]
        else:
            waiting += each.items
    return False
