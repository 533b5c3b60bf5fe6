"""The `when` of a workflow or a step, as a condition and as triggers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from app.pipelines.definition.tree import Mapping, Node
from cli.converting.logic import Answer, all_of, any_of, negated, quoted
from cli.converting.notes import Notes
from cli.converting.shaping import NEVER, Tree
from cli.converting.source import entries, get, items, text_of, texts

_EVENTS: Final = {
    "push": "git_push",
    "pull_request": "pull_request",
    "pull_request_closed": "pull_request",
    "tag": "git_tag",
    "cron": "schedule",
    "manual": "manual",
}
_TRIGGERS: Final = {"push": "push", "pull_request": "pull_request", "tag": "tag", "release": "webhook"}


def read_when(node: Node | None, axes: Iterable[str], notes: Notes, part: Tree) -> Answer:
    """Return what a `when` asks for, and give the part its `when` where it asks how the steps before it ended."""
    if node is None:
        return True
    return any_of(_one(each, set(axes), notes, part) for each in items(node))


def give(answer: Answer, part: Tree) -> None:
    """Give a stage or a step its condition."""
    if answer is not True:
        part["condition"] = NEVER if answer is False else answer


def triggers_of(nodes: Sequence[Node | None], notes: Notes) -> list[Any]:
    """Return what starts the workflows that have these `when`s; those without any start at each push and request."""
    events: dict[str, None] = {}
    for node in nodes:
        found = [name for each in items(node) for name in _chosen(get(each, "event"))]
        events |= dict.fromkeys(found or ("push", "pull_request", "tag"))
    made: list[Any] = []
    for name in events:
        if name == "cron":
            notes.lost(None, "when: cron", "its time is not in the file: give the pipeline a schedule")
            made.append({"trigger_type": "schedule"})
        elif name in _TRIGGERS:
            made.append(_TRIGGERS[name])
    return made


def _one(node: Node, axes: set[str], notes: Notes, part: Tree) -> Answer:
    found: list[Answer] = []
    for entry in entries(node):
        match entry.key:
            case "event":
                found.append(_listed(entry.node, _event))
            case "branch":
                found.append(_listed(entry.node, _branch))
            case "ref":
                found.append(_listed(entry.node, _ref))
            case "status":
                _status(texts(entry.node), part)
            case "matrix":
                found += [_cell(each.key, text_of(each.node) or "", axes) for each in entries(entry.node)]
            case "evaluate":
                notes.lost(
                    entry.place.line, "when: evaluate", "cannot be said here; it never runs until you say it", part
                )
                return False
            case "repo" | "instance":
                notes.moot(entry.place.line, f"when: {entry.key}", "is taken to hold: there is one repository")
            case _:
                notes.lost(entry.place.line, f"when: {entry.key}", "is taken to hold always", part)
    return all_of(found)


def _listed(node: Node, read: Any) -> Answer:
    if isinstance(node, Mapping):
        include, exclude = get(node, "include"), get(node, "exclude")
        wanted = _listed(include, read) if include is not None else True
        return all_of((wanted, negated(_listed(exclude, read)) if exclude is not None else True))
    return any_of(read(text) for text in texts(node))


def _event(name: str) -> Answer:
    if name not in _EVENTS:
        return False
    wanted = f"CI_EVENT == {quoted(_EVENTS[name])}"
    return any_of((wanted, "CI_EVENT == 'api'")) if name == "manual" else wanted


def _branch(glob: str) -> Answer:
    test = f"matches(BRANCH, {quoted(glob)})" if set(glob) & set("*?[") else f"BRANCH == {quoted(glob)}"
    return any_of((test, test.replace("BRANCH", "CI_PULL_REQUEST_TARGET", 1)))


def _ref(glob: str) -> Answer:
    for prefix, variable in (("refs/heads/", "BRANCH"), ("refs/tags/", "TAG")):
        if glob.startswith(prefix):
            return f"matches({variable}, {quoted(glob.removeprefix(prefix))}) && {variable} != ''"
    return "CI_PULL_REQUEST" if glob.startswith("refs/pull/") else glob in ("**", "refs/**")


def _status(names: list[str], part: Tree) -> None:
    if "failure" in names:
        part["when"] = "always" if "success" in names else "on_failure"


def _cell(axis: str, value: str, axes: set[str]) -> Answer:
    return f"matrix.{axis} == {quoted(value)}" if axis in axes else False


def _chosen(node: Node | None) -> list[str]:
    if isinstance(node, Mapping):
        return _chosen(get(node, "include"))
    return texts(node)
