"""A workflow becomes a pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from app.pipelines.definition.tree import Mapping, Node, Scalar
from cli.converting.durations import run_timeout
from cli.converting.github.contexts import Scope
from cli.converting.github.environments import read_environment
from cli.converting.github.expressions import Unreadable
from cli.converting.github.jobs import read_job, read_needs
from cli.converting.github.templates import as_text, without_templates
from cli.converting.github.triggers import read_inputs, read_triggers
from cli.converting.notes import NotConvertible, Notes
from cli.converting.shaping import Tree, fit_name
from cli.converting.source import Source, entries, flag_of, get, line_of, read_tree, text_of

_JOB_MINUTES: Final = 360
_KNOWN: Final = frozenset(("name", "on", "env", "defaults", "concurrency", "jobs", "permissions", "run-name"))


def convert_workflow(source: Source, notes: Notes) -> Tree:
    """Return the definition that a workflow becomes; raises NotConvertible."""
    root = read_tree(source, notes)
    jobs = {entry.key: entry.node for entry in entries(get(root, "jobs"))}
    if not jobs:
        raise NotConvertible("has no jobs: is it a workflow of GitHub Actions?")
    title = text_of(get(root, "name")) or PurePosixPath(source.name).stem
    inputs = read_inputs(get(root, "on"), notes)
    scope = Scope(variables=frozenset(inputs))
    environment = read_environment(get(root, "env"), scope, notes)
    tree: Tree = {
        "name": fit_name(without_templates(title), default="workflow"),
        "triggers": read_triggers(get(root, "on"), notes),
        "environment": {**inputs, **environment.plain},
    }
    _add_concurrency(tree, get(root, "concurrency"), scope, notes)
    for entry in entries(root):
        if entry.key in ("permissions", "run-name"):
            notes.moot(entry.place.line, entry.key, "has no meaning here")
        elif entry.key not in _KNOWN:
            notes.lost(entry.place.line, entry.key, "is not known here")
    made: dict[str, Tree] = {}
    outer = environment.scope(scope)
    for key, node in jobs.items():
        stage = read_job(
            fit_name(key, (), "job"), _with_defaults(node, root), read_needs(node), outer, environment, notes
        )
        if stage is not None:
            made[key] = stage
    tree["stages"] = list(made.values())
    _join(made, jobs)
    tree["timeout"] = run_timeout(tree["stages"], {stage["name"]: _seconds(stage) for stage in tree["stages"]})
    return tree


def _with_defaults(node: Node, root: Mapping) -> Node:
    """Return the job with the workflow's `defaults` where it has none of its own."""
    defaults = root.entries.get("defaults")
    if defaults is None or not isinstance(node, Mapping) or "defaults" in node.entries:
        return node
    return replace(node, entries={**node.entries, "defaults": defaults})


def _join(made: dict[str, Tree], jobs: dict[str, Node]) -> None:
    """Let stages depend on those that became of the jobs they need; where one was left out, on what that needed."""
    for key, stage in made.items():
        found: dict[str, None] = {}
        waiting, seen = list(stage["depends_on"]), set[str]()
        while waiting:
            needed = waiting.pop(0)
            if needed in seen or needed == key:
                continue
            seen.add(needed)
            if needed in made:
                found[made[needed]["name"]] = None
            elif needed in jobs:
                waiting += read_needs(jobs[needed])
        stage["depends_on"] = list(found)


def _add_concurrency(tree: Tree, node: Node | None, scope: Scope, notes: Notes) -> None:
    if node is None:
        return
    given = node if isinstance(node, Scalar) else get(node, "group")
    try:
        group = as_text(text_of(given) or "", scope)
    except Unreadable as error:
        notes.lost(line_of(node), "concurrency", f"its group cannot be said here ({error}); it is left out")
        return
    if not group:
        return
    cancel = get(node, "cancel-in-progress")
    if flag_of(cancel) is None and text_of(cancel) is not None:
        notes.lost(line_of(cancel), "cancel-in-progress", "is worked out; newer runs wait for the older ones")
    tree["concurrency"] = {"group": group, **({"cancel_in_progress": True} if flag_of(cancel) else {})}


def _seconds(stage: Tree) -> int:
    text = stage.get("timeout") or f"{_JOB_MINUTES}m"
    return int(text[:-1]) * (60 if text.endswith("m") else 1)
