"""All workflows of a repository become one pipeline, each of them a stage."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import PurePosixPath
from typing import Any, Final

from app.pipelines.definition.tree import Mapping, Node
from cli.converting.cells import as_matrix
from cli.converting.durations import run_timeout
from cli.converting.notes import NotConvertible, Notes
from cli.converting.shaping import NEVER, Tree, fit_name, fit_variable
from cli.converting.source import Source, entries, get, items, line_of, read_tree, texts
from cli.converting.woodpecker.conditions import give, read_when, triggers_of
from cli.converting.woodpecker.steps import add_services, add_steps

MOST_CELLS: Final = 256
FILLER: Final = "false"
_KNOWN: Final = frozenset(
    ("steps", "pipeline", "services", "when", "branches", "branch", "matrix", "depends_on", "runs_on", "variables")
)
_LEFT_OUT: Final = {
    "workspace": "is left out: the checkout is where it is",
    "clone": "is left out: each stage begins with a checkout of its own",
    "skip_clone": "is left out: each stage begins with a checkout",
}
_CHECKED: Final = ("labels", "platform")


def convert_workflows(sources: Sequence[Source], notes: Notes) -> Tree:
    """Return the definition that the workflows become together; raises NotConvertible."""
    made: dict[str, Tree] = {}
    needs: dict[str, list[str]] = {}
    conditions: list[Node | None] = []
    for source in sources:
        notes.file = source.name
        root = read_tree(source, notes)
        stem = PurePosixPath(source.name).stem.lstrip(".") or "workflow"
        stage = _read_workflow(stem, root, made, notes)
        if stage is not None:
            made[stem] = stage
            needs[stem] = texts(get(root, "depends_on"))
            conditions.append(get(root, "when"))
    if not made:
        raise NotConvertible("has no steps with commands: is it a workflow of Woodpecker?")
    for stem, stage in made.items():
        stage["depends_on"] = [
            made[name]["name"] for name in dict.fromkeys(needs[stem]) if name in made and name != stem
        ]
    stages = list(made.values())
    timeout = run_timeout(stages, {stage["name"]: 3600 for stage in stages})
    return {"name": "woodpecker", "triggers": triggers_of(conditions, notes), "timeout": timeout, "stages": stages}


def _read_workflow(stem: str, root: Mapping, made: dict[str, Tree], notes: Notes) -> Tree | None:
    stage: Tree = {"name": fit_name(stem, {each["name"] for each in made.values()}, "workflow"), "steps": []}
    stage["matrix"], axes = _matrix(get(root, "matrix"), notes, stage)
    steps = get(root, "steps") if get(root, "steps") is not None else get(root, "pipeline")
    if steps is None:
        raise NotConvertible("has no steps: is it a workflow of Woodpecker?", root.place.line)
    add_steps(steps, axes, notes, stage)
    add_services(get(root, "services"), axes, notes, stage)
    give(read_when(get(root, "when"), axes, notes, stage), stage)
    if "failure" in texts(get(root, "runs_on")):
        stage["when"] = "always" if "success" in texts(get(root, "runs_on")) else "on_failure"
    for entry in entries(root):
        if entry.key in _LEFT_OUT:
            notes.lost(entry.place.line, entry.key, _LEFT_OUT[entry.key], stage)
        elif entry.key in ("branches", "branch"):
            notes.lost(entry.place.line, entry.key, "is left out; say it by when", stage)
        elif entry.key in _CHECKED:
            notes.check(entry.place.line, entry.key, "any worker takes it", stage)
        elif entry.key not in _KNOWN:
            notes.lost(entry.place.line, entry.key, "is not known here", stage)
    return stage if stage["steps"] else None


def _matrix(node: Node | None, notes: Notes, part: Tree) -> tuple[dict[str, Any] | None, frozenset[str]]:
    axes = {fit_variable(entry.key): texts(entry.node) for entry in entries(node) if entry.key != "include"}
    count = 1
    for values in axes.values():
        count *= max(len(values), 1)
    if count > MOST_CELLS:
        notes.lost(line_of(node), "matrix", f"has more than {MOST_CELLS} cells; it never runs", part)
        part["condition"] = NEVER
        return None, frozenset()
    cells = [dict(zip(axes, cell, strict=True)) for cell in product(*axes.values())] if axes else []
    include = get(node, "include")
    cells += [
        {fit_variable(entry.key): "".join(texts(entry.node)) for entry in entries(each)} for each in items(include)
    ]
    names = list(dict.fromkeys(name for cell in cells for name in cell))
    if not names:
        return None, frozenset()
    whole = {tuple(cell.get(name) or FILLER for name in names): None for cell in cells}
    return as_matrix([dict(zip(names, each, strict=True)) for each in whole]), frozenset(names)
