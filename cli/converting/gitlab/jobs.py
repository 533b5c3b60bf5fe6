"""A job becomes a stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from app.pipelines.definition.tree import Mapping, Node, Scalar
from cli.converting.cells import as_matrix
from cli.converting.containers import give_image, give_service
from cli.converting.durations import DAY, written
from cli.converting.gitlab.keeping import add_artifacts, add_caches, image_of, seconds_of
from cli.converting.gitlab.rules import give, mentions, read_when
from cli.converting.gitlab.scripts import Variables, add_steps, read_variables
from cli.converting.gitlab.variables import Known, filled_in
from cli.converting.logic import Answer, all_of
from cli.converting.notes import Notes
from cli.converting.shaping import NEVER, Tree, deploys_to, fit_name, fit_variable
from cli.converting.source import entries, flag_of, get, items, line_of, text_of, texts, whole_of

MOST_CELLS: Final = 256
FILLER: Final = "false"
_KNOWN: Final = frozenset(
    (
        *(
            "script",
            "before_script",
            "after_script",
            "stage",
            "extends",
            "needs",
            "dependencies",
            "rules",
            "only",
            "run",
        ),
        *(
            "image",
            "services",
            "except",
            "when",
            "variables",
            "artifacts",
            "cache",
            "parallel",
            "allow_failure",
            "retry",
            "timeout",
            "environment",
        ),
    )
)
_LEFT_OUT: Final = {
    "release": "no release is made",
    "resource_group": "is left out: stages of different runs may run at once",
    "coverage": "is not read here",
    "trigger": "starts no other pipeline",
    "secrets": "come from no vault; name them as secrets of a step",
    "id_tokens": "are not made here",
    "inherit": "is left out: defaults and variables hold for every job",
    "hooks": "are left out",
    "identity": "is left out",
    "pages": "publishes nothing",
    "dast_configuration": "is left out",
    "start_in": "is left out",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What all jobs of a file share. `guard` is what the rules of the whole pipeline ask for."""

    root: Mapping
    defaults: Mapping | None
    variables: Variables
    guard: Answer
    has_requests: bool


def read_job(name: str, job: Node, frame: Frame, notes: Notes) -> Tree | None:
    """Return the stage of a job, or None where it is left out."""
    line = line_of(job)
    stage: Tree = {"name": name, "steps": []}
    own = read_variables(get(job, "variables"), notes)
    matrix, axes = _matrix(_of(job, frame, "parallel"), notes, stage)
    inherited = {key: value for key, value in frame.variables.exports.items() if key not in own.plain}
    given = Variables(own.plain, {**inherited, **own.exports})
    known = Known(frozenset({*frame.variables.plain, *own.plain}) - set(given.exports), frozenset(given.exports), axes)
    when = read_when(job, known, notes, stage)
    when = replace(when, answer=all_of((when.answer, *_guards(job, frame))))
    if not give(when, notes, line, stage):
        notes.moot(line, f"job {name}", "never runs; it is left out")
        return None
    stage["matrix"] = matrix
    stage["environment"] = own.plain
    add_steps(job, frame.defaults, given, known, notes, stage)
    if not stage["steps"]:
        notes.lost(line, f"job {name}", "has no script in this file; it is left out")
        return None
    add_artifacts(_of(job, frame, "artifacts"), known, notes, stage)
    add_caches(_of(job, frame, "cache"), known, notes, stage)
    _contain(job, frame, known, notes, stage)
    _deploy(get(job, "environment"), known, notes, stage)
    _add_limits(job, frame, notes, stage)
    _note_rest(job, notes, stage)
    return stage


def _of(job: Node, frame: Frame, key: str) -> Node | None:
    own = get(job, key)
    return own if own is not None else get(frame.defaults, key)


def _guards(job: Node, frame: Frame) -> list[Answer]:
    """Return what holds for a job beside its own rules: one without any is not for merge requests."""
    has_rules = any(get(job, key) is not None for key in ("rules", "only"))
    plain: list[Answer] = ["!CI_PULL_REQUEST"] if frame.has_requests and not has_rules and frame.guard is True else []
    return [frame.guard, *plain]


def _contain(job: Node, frame: Frame, known: Known, notes: Notes, stage: Tree) -> None:
    """Take over the image of a job and, where it has one, its services, which GitLab gives the job's variables."""
    image = _of(job, frame, "image")
    give_image(stage, filled_in(image_of(image) or "", known), known.plain, line_of(image), notes)
    variables = {**frame.variables.plain, **stage["environment"]}
    for service in items(_of(job, frame, "services")):
        name = filled_in(image_of(service) or "", known)
        alias = (text_of(get(service, "alias")) or "").replace(",", " ").split()
        host = alias[0] if alias else None
        if "image" not in stage or not give_service(stage, host, name, variables, known.plain):
            notes.lost(line_of(service), "services", f"{name} is not started; the worker must reach it", stage)


def _deploy(node: Node | None, known: Known, notes: Notes, stage: Tree) -> None:
    """Take over the environment that a job deploys to; one that is made for each branch is none here."""
    name, url = text_of(node) or text_of(get(node, "name")), text_of(get(node, "url"))
    if not name:
        return
    action = text_of(get(node, "action")) or "start"
    if "$" in name or action != "start":
        notes.lost(line_of(node), "environment", f"{name} ({action}) is left out; the stage deploys to none", stage)
        return
    stage["deploys_to"] = deploys_to(fit_name(name, (), "environment"), filled_in(url, known) if url else None)


def _add_limits(job: Node, frame: Frame, notes: Notes, stage: Tree) -> None:
    timeout = _of(job, frame, "timeout")
    if timeout is not None and (seconds := seconds_of(text_of(timeout) or "")):
        stage["seconds"] = max(1, min(seconds, DAY))
        stage["timeout"] = written(stage["seconds"])
    failure = get(job, "allow_failure")
    stage["continue_on_error"] = flag_of(failure) or None
    if isinstance(failure, Mapping):
        notes.lost(line_of(failure), "allow_failure", "of certain exit codes is left out; a failure counts", stage)
    retry = _of(job, frame, "retry")
    count = whole_of(text_of(retry if isinstance(retry, Scalar) else get(retry, "max")))
    stage["retry_count"] = min(count or 0, 10) or None
    if isinstance(retry, Mapping) and (get(retry, "when") or get(retry, "exit_codes")) is not None:
        notes.lost(line_of(retry), "retry: when", "is left out; any failure is tried again", stage)


def _note_rest(job: Node, notes: Notes, stage: Tree) -> None:
    for entry in entries(job):
        if entry.key == "tags":
            notes.check(
                entry.place.line, "tags", f"any worker takes it, not {', '.join(texts(entry.node))} alone", stage
            )
        elif entry.key == "interruptible":
            notes.moot(entry.place.line, entry.key, "say it by concurrency")
        elif entry.key not in _KNOWN:
            notes.lost(entry.place.line, entry.key, _LEFT_OUT.get(entry.key, "is not known here"), stage)


def _matrix(node: Node | None, notes: Notes, part: Tree) -> tuple[dict[str, Any] | None, frozenset[str]]:
    if isinstance(node, Scalar):
        return _numbered(text_of(node) or "", notes, line_of(node), part)
    cells: list[dict[str, str]] = []
    for each in items(get(node, "matrix")):
        axes = {fit_variable(entry.key): texts(entry.node) for entry in entries(each)}
        count = 1
        for values in axes.values():
            count *= max(len(values), 1)
        if count + len(cells) > MOST_CELLS:
            notes.lost(line_of(node), "parallel: matrix", f"has more than {MOST_CELLS} cells; it never runs", part)
            part["condition"] = NEVER
            return None, frozenset()
        cells += [dict(zip(axes, cell, strict=True)) for cell in product(*axes.values())]
    if not cells:
        return None, frozenset()
    names = list(dict.fromkeys(name for cell in cells for name in cell))
    if any(not cell.get(name) for cell in cells for name in names):
        notes.check(line_of(node), "parallel: matrix", f"cells without a value have {FILLER!r} there", part)
    whole = {tuple(cell.get(name) or FILLER for name in names): None for cell in cells}
    return as_matrix([dict(zip(names, each, strict=True)) for each in whole]), frozenset(names)


def _numbered(text: str, notes: Notes, line: int | None, part: Tree) -> tuple[dict[str, Any] | None, frozenset[str]]:
    count = whole_of(text)
    if count is None or not 2 <= count <= MOST_CELLS:
        notes.lost(line, "parallel", f"{text} is not known here", part)
        return None, frozenset()
    numbers = [str(number) for number in range(1, count + 1)]
    return {"CI_NODE_INDEX": numbers}, frozenset({"CI_NODE_INDEX"})


def wants_requests(root: Mapping) -> bool:
    """Tell whether anything in the file is about merge requests."""
    return mentions(root, "merge_request")
