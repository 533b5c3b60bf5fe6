"""What starts a workflow, as triggers of headrace.yml."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from app.pipelines.definition.tree import Listing, Mapping, Node, Scalar
from cli.converting.github.contexts import input_name
from cli.converting.notes import Notes
from cli.converting.source import entries, get, items, line_of, text_of, texts
from cli.converting.triggers import with_paths

Trigger = dict[str, Any]

_ALWAYS: Final = ("workflow_dispatch", "repository_dispatch")
_WEBHOOKS: Final = ("release", "create", "delete", "deployment", "fork", "issues", "issue_comment", "watch", "label")


def read_triggers(node: Node | None, notes: Notes) -> list[Trigger | str]:
    """Return the triggers of the `on` of a workflow."""
    found: list[Trigger | str] = []
    for name, line, event in _events(node):
        reader = _READERS.get(name)
        if reader is not None:
            found += reader(event, line, notes)
        elif name in _ALWAYS:
            notes.moot(line, f"on: {name}", "any pipeline can be started by hand and through the API")
        elif name in _WEBHOOKS:
            found.append({"trigger_type": "webhook", "config": {"events": [name]}})
            notes.check(line, f"on: {name}", "starts the workspace's branch, when the host delivers such events")
        else:
            notes.lost(line, f"on: {name}", "starts nothing here")
    return found


def read_inputs(node: Node | None, notes: Notes) -> dict[str, str]:
    """Return the inputs of `workflow_dispatch` and `workflow_call` as variables with their defaults."""
    found: dict[str, str] = {}
    for name, _, event in _events(node):
        if name not in ("workflow_dispatch", "workflow_call"):
            continue
        for entry in entries(get(event, "inputs")):
            variable = input_name(f"inputs.{entry.key}") or ""
            found[variable] = text_of(get(entry.node, "default")) or ""
            notes.check(entry.place.line, f"input {entry.key}", f"is the variable {variable}, given at the start")
    return found


def _events(node: Node | None) -> Iterator[tuple[str, int | None, Node | None]]:
    if isinstance(node, Mapping):
        yield from ((entry.key, entry.place.line, entry.node) for entry in entries(node))
    elif isinstance(node, Listing | Scalar):
        yield from ((text_of(each) or "", line_of(each), None) for each in items(node))


def _push(event: Node | None, line: int | None, notes: Notes) -> list[Trigger | str]:
    branches, tags = texts(get(event, "branches")), texts(get(event, "tags"))
    _ignored(event, line, notes, ("branches-ignore", "tags-ignore"))
    takes_branches = bool(branches) or get(event, "tags") is None
    takes_tags = bool(tags) or (get(event, "branches") is None and get(event, "branches-ignore") is None)
    found: list[Trigger | str] = []
    if takes_branches:
        config = _patterns("branch_patterns", branches, line, notes)
        found += with_paths("git_push", config, _paths(event, line, notes))
    if takes_tags:
        found += with_paths("git_tag", _patterns("tag_patterns", tags, line, notes), [])
    return found


def _pull_request(event: Node | None, line: int | None, notes: Notes) -> list[Trigger | str]:
    config = _patterns("branch_patterns", texts(get(event, "branches")), line, notes)
    _ignored(event, line, notes, ("branches-ignore",))
    if types := texts(get(event, "types")):
        config["events"] = types
    return with_paths("pull_request", config, _paths(event, line, notes))


def _schedule(event: Node | None, _: int | None, notes: Notes) -> list[Trigger | str]:
    found: list[Trigger | str] = []
    for each in items(event):
        if cron := text_of(get(each, "cron")):
            zone = text_of(get(each, "timezone"))
            config = {"cron_expression": cron, **({"timezone": zone} if zone else {})}
            found.append({"trigger_type": "schedule", "config": config})
        else:
            notes.lost(line_of(each), "on: schedule", "has no cron")
    return found


def _workflow_run(event: Node | None, line: int | None, notes: Notes) -> list[Trigger | str]:
    branches = _patterns("branch_patterns", texts(get(event, "branches")), line, notes)
    names = texts(get(event, "workflows"))
    for name in names:
        notes.check(line, "on: workflow_run", f"follows the pipeline named {name}, which must be here too")
    return [{"trigger_type": "pipeline", "config": {"pipeline": name, **branches}} for name in names]


def _workflow_call(_: Node | None, line: int | None, notes: Notes) -> list[Trigger | str]:
    notes.lost(line, "on: workflow_call", "is called by no other pipeline here; it is started as any other")
    return []


_READERS: Final[dict[str, Callable[[Node | None, int | None, Notes], list[Trigger | str]]]] = {
    "push": _push,
    "pull_request": _pull_request,
    "pull_request_target": _pull_request,
    "schedule": _schedule,
    "workflow_run": _workflow_run,
    "workflow_call": _workflow_call,
}


def _patterns(key: str, globs: list[str], line: int | None, notes: Notes) -> Trigger:
    wanted = [glob for glob in globs if not glob.startswith("!")]
    if len(wanted) < len(globs):
        notes.lost(line, "on: !pattern", f"the patterns with ! of {key} are left out; it starts for these too")
    return {key: wanted} if wanted and wanted != ["**"] else {}


def _paths(event: Node | None, line: int | None, notes: Notes) -> list[str]:
    _ignored(event, line, notes, ("paths-ignore",))
    globs = texts(get(event, "paths"))
    wanted = [glob for glob in globs if not glob.startswith("!")]
    if len(wanted) < len(globs):
        notes.lost(line, "on: !path", "the paths with ! are left out; it starts for changes of these too")
    return wanted


def _ignored(event: Node | None, line: int | None, notes: Notes, keys: tuple[str, ...]) -> None:
    for key in keys:
        if (node := get(event, key)) is not None:
            notes.lost(line_of(node) or line, f"on: {key}", "is left out; it starts for these too")
