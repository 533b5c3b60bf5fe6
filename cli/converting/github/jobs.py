"""A job becomes a stage."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from app.pipelines.definition.tree import Mapping, Node
from cli.converting.github.actions import add_action
from cli.converting.github.boxes import contain
from cli.converting.github.contexts import Scope
from cli.converting.github.environments import Environment, read_environment
from cli.converting.github.expressions import Unreadable
from cli.converting.github.matrix import is_other_system, read_matrix
from cli.converting.github.steps import Job, add_script, go_on, guard, read_timeout
from cli.converting.github.templates import as_text, without_templates
from cli.converting.notes import Notes
from cli.converting.shaping import NEVER, Tree, deploys_to, fit_name
from cli.converting.source import entries, get, items, line_of, text_of, texts

_SYSTEM_AXIS: Final = re.compile(r"\$\{\{\s*matrix\.([A-Za-z0-9_.-]+)")
_KNOWN: Final = frozenset(
    (
        *("name", "needs", "runs-on", "if", "strategy", "env", "defaults", "steps", "timeout-minutes"),
        *("continue-on-error", "permissions", "environment", "container", "services"),
    )
)
SELF_HOSTED: Final = "self-hosted"
_LEFT_OUT: Final = {
    "concurrency": "of a job is left out; pipelines have it",
    "outputs": "do not pass from stage to stage; files do, as artifacts",
    "snapshot": "is left out",
}


def read_job(name: str, node: Node, needs: list[str], outer: Scope, above: Environment, notes: Notes) -> Tree | None:
    """Return the stage of a job, or None where it is left out. `above` is what the workflow's `env` says."""
    line = line_of(node)
    if uses := text_of(get(node, "uses")):
        notes.lost(line_of(get(node, "uses")), "reusable workflow", f"{uses} is not read; the job {name} is left out")
        return None
    stage: Tree = {"name": name, "depends_on": needs, "steps": []}
    title = text_of(get(node, "name"))
    if title and "${{" not in title and title != name:
        stage["description"] = title
    job = _with_matrix(node, Job(stage, outer, notes), name)
    if job is None:
        return None
    environment = read_environment(get(node, "env"), job.scope, notes)
    stage["environment"] = dict(environment.plain)
    inner = environment.scope(job.scope)
    guard(get(node, "if"), inner, notes, stage)
    go_on(get(node, "continue-on-error"), notes, stage)
    stage["timeout"] = read_timeout(get(node, "timeout-minutes"), inner, notes, stage)
    contain(node, inner, notes, stage)
    _deploy(get(node, "environment"), inner, notes, stage)
    defaults = get(node, "defaults", "run")
    exported = replace(environment.over(above), plain={})
    _add_steps(
        replace(
            job,
            scope=inner,
            environment=exported,
            shell=text_of(get(defaults, "shell")),
            directory=text_of(get(defaults, "working-directory")),
        ),
        node,
    )
    _note_rest(node, notes, stage)
    if not stage["steps"]:
        notes.lost(line, f"job {name}", "has no step that could run here; it is left out")
        return None
    return stage


def _deploy(node: Node | None, scope: Scope, notes: Notes, stage: Tree) -> None:
    """Take over the environment that a job deploys to; who must approve is said where environments are kept."""
    name, url = text_of(node) or text_of(get(node, "name")), text_of(get(node, "url"))
    if not name:
        return
    if "${{" in name:
        notes.lost(line_of(node), "environment", f"{name} is worked out; the stage deploys to none", stage)
        return
    notes.check(line_of(node), "environment", f"{name} protects nothing until it is told whom to ask")
    stage["deploys_to"] = deploys_to(fit_name(name, (), "environment"), _address(url, scope))


def _address(url: str | None, scope: Scope) -> str | None:
    try:
        return as_text(url, scope) if url else None
    except Unreadable:
        return None


def _with_matrix(node: Node, job: Job, name: str) -> Job | None:
    notes, strategy = job.notes, get(node, "strategy")
    labels = texts(get(node, "runs-on")) or texts(get(node, "runs-on", "labels"))
    axis = _system_axis(labels)
    try:
        matrix = read_matrix(get(strategy, "matrix"), axis, notes, job.stage)
    except Unreadable as error:
        notes.lost(
            line_of(get(strategy, "matrix")), "matrix", f"{error}; {name} never runs until you say it", job.stage
        )
        job.stage["condition"] = NEVER
        return job
    if matrix.is_empty or (axis is None and any(map(is_other_system, labels))):
        notes.lost(line_of(get(node, "runs-on")), "runs-on", f"steps run on Linux; the job {name} is left out")
        return None
    _note_labels(node, labels, axis, notes, job.stage)
    if (most := get(strategy, "max-parallel")) is not None:
        notes.lost(line_of(most), "max-parallel", "is left out: as many run at once as workers are free", job.stage)
    if (fast := get(strategy, "fail-fast")) is not None:
        notes.moot(line_of(fast), "fail-fast", "a cell that fails stops no other")
    job.stage["matrix"] = matrix.written
    return replace(job, scope=replace(job.scope, axes=matrix.axes, fixed=matrix.fixed, cleared=matrix.cleared))


def _system_axis(labels: list[str]) -> str | None:
    """Return the axis that the runner's label comes from, be it alone or before a default."""
    found = [match[1] for label in labels if (match := _SYSTEM_AXIS.search(label))]
    return found[0] if found else None


def _note_labels(node: Node, labels: list[str], axis: str | None, notes: Notes, stage: Tree) -> None:
    if SELF_HOSTED in labels and not any("${{" in label for label in labels):
        own = [label.lower() for label in labels if label != SELF_HOSTED] or [SELF_HOSTED]
        stage["runs_on"] = own
        said = f"it waits for a runner of yours with {'all of ' if len(own) > 1 else ''}{', '.join(own)}"
        notes.check(line_of(get(node, "runs-on")), "runs-on", said, stage)
        return
    unusual = [label for label in labels if not label.startswith("ubuntu") and "matrix." not in label]
    if unusual or (axis is None and any("${{" in label for label in labels)):
        notes.check(
            line_of(get(node, "runs-on")), "runs-on", f"any worker takes it, not {', '.join(labels)} alone", stage
        )


def _add_steps(job: Job, node: Node) -> None:
    for step in items(get(node, "steps")):
        script, uses = get(step, "run"), text_of(get(step, "uses"))
        if script is not None:
            add_script(job, step, script)
        elif uses:
            add_action(job, step, uses)
        else:
            job.notes.lost(line_of(step), "step", "has neither run nor uses; it is left out", job.stage)
        if (identity := get(step, "id")) is not None:
            job.notes.moot(line_of(identity), "id", without_templates("names of steps are their own"))


def _note_rest(node: Node, notes: Notes, stage: Tree) -> None:
    for entry in entries(node):
        if entry.key in _LEFT_OUT:
            notes.lost(
                entry.place.line,
                entry.key,
                _LEFT_OUT[entry.key],
                stage,
            )
        elif entry.key == "permissions":
            notes.moot(entry.place.line, "permissions", "no token is made for a run")
        elif entry.key not in _KNOWN:
            notes.lost(entry.place.line, entry.key, "is not known here", stage)


def read_needs(node: Node) -> list[str]:
    """Return the jobs a job needs."""
    return texts(get(node, "needs")) if isinstance(node, Mapping) else []
