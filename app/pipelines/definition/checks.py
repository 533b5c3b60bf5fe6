"""What a structure cannot say: names that must differ, references that must hold, expressions that must read."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from app.pipelines.definition.caching import keys_of, without_hashes
from app.pipelines.definition.conditions import Condition, ConditionInvalid, parse_condition, with_state
from app.pipelines.definition.containers import CONTAINER, check_containers
from app.pipelines.definition.expansion import malformed_reference, matrix_axes
from app.pipelines.definition.faults import Faults, child, item, shorten
from app.pipelines.definition.graph import check_graph
from app.pipelines.definition.matrix import check_matrix
from app.pipelines.definition.model import Definition
from app.pipelines.definition.plan import MAX_PLAN_SIZE, MAX_PLANNED_STAGES, estimate_size, planned_names
from app.pipelines.definition.secrets import check_secrets
from app.pipelines.definition.triggers import check_triggers
from app.pipelines.definition.variables import check_names

Draft = Mapping[str, Any]

_MAX_STAGE_NAME = 200


def check_draft(draft: Draft, faults: Faults, executors: Collection[str], *, is_part: bool = False) -> None:
    """Add what is wrong with a normalised draft; what could not be read before is passed over.

    A definition that includes files, and each of these, is a part: it may depend on stages of the others.
    """
    check_names(draft["environment"], faults, "environment", "variables")
    check_triggers(draft["triggers"], draft.get("name"), faults)
    if group := (draft.get("concurrency") or {}).get("group"):
        _check_references(group, "concurrency.group", set(), faults)
    stages = draft["stages"]
    _check_unique(stages, "stages", "stage", faults)
    check_graph(stages, "stages", faults, is_part=is_part or bool(draft.get("include")))
    if not stages and not draft.get("include") and not faults.within("stages"):
        message = "is required, unless include names files that have stages"
        faults.add("stages", message, faults.place_of(""))
    for index, stage in enumerate(stages):
        _check_stage(stage, item("stages", index), faults, executors)
        _check_secrets(draft, stage, item("stages", index), faults)


def check_plan(definition: Definition, faults: Faults) -> None:
    """Add what only the multiplied stages show: too many, too large, or two with one name."""
    owners: dict[str, str] = {}
    for index, stage in enumerate(definition.stages):
        path = child(item("stages", index), "matrix" if stage.matrix else "name")
        for name in planned_names(stage):
            if len(name) > _MAX_STAGE_NAME:
                faults.add(path, f"makes the stage name {shorten(name)}, longer than {_MAX_STAGE_NAME} characters")
            elif name in owners:
                faults.add(path, f"makes the stage name {shorten(name)} a second time, after {owners[name]}")
            owners.setdefault(name, path)
    if len(owners) > MAX_PLANNED_STAGES:
        faults.add("stages", f"are {len(owners)} with their matrices; at most {MAX_PLANNED_STAGES} are allowed")
    elif (size := estimate_size(definition)) > MAX_PLAN_SIZE:
        faults.add("stages", f"take {size} characters with their matrices; at most {MAX_PLAN_SIZE} are allowed")


def _check_stage(stage: Draft, path: str, faults: Faults, executors: Collection[str]) -> None:
    matrix = stage.get("matrix")
    if matrix is not None:
        check_matrix(matrix, child(path, "matrix"), faults)
    axes = _axes(matrix)
    check_names(stage.get("environment", {}), faults, child(path, "environment"))
    _check_condition(stage, path, axes, faults)
    _check_artifacts(stage["artifacts"], child(path, "artifacts"), axes, faults)
    _check_caches(stage.get("cache", ()), child(path, "cache"), axes, faults)
    _check_reports(stage.get("reports", {}), child(path, "reports"), axes, faults)
    _check_labels(stage.get("runs_on", ()), child(path, "runs_on"), axes, faults)
    _check_references((stage.get("deploys_to") or {}).get("url") or "", f"{path}.deploys_to.url", axes, faults)
    # What a runner has for containers is the runner's own.
    here = {*executors, CONTAINER} if stage.get("runs_on") else executors
    check_containers(stage, path, faults, here, lambda text, at: _check_references(text, at, axes, faults))
    _check_unique(stage["steps"], child(path, "steps"), "step", faults)
    for index, step in enumerate(stage["steps"]):
        _check_step(step, item(child(path, "steps"), index), axes, faults, executors)


def _check_secrets(draft: Draft, stage: Draft, path: str, faults: Faults) -> None:
    given = {*draft["environment"], *stage.get("environment", ())}
    for index, step in enumerate(stage["steps"]):
        check_secrets(step, item(child(path, "steps"), index), {*given, *step["environment"]}, faults)


def _axes(matrix: Draft | None) -> set[str]:
    cells = [cell for cell in (matrix or {}).get("include", ()) if cell]
    named = set(matrix or {}) - {"include", "exclude", "axes"}
    return named.union(*cells)


def _check_unique(named: Sequence[Draft], path: str, kind: str, faults: Faults) -> None:
    seen: dict[str, int] = {}
    for index, each in enumerate(named):
        name = each.get("name")
        if name in seen:
            message = f"is the name of the {kind} {item(path, seen[name])} too; names must differ"
            faults.add(child(item(path, index), "name"), message)
        elif name is not None:
            seen[name] = index


def _check_condition(holder: Draft, path: str, axes: set[str], faults: Faults) -> None:
    if "condition" not in holder:
        return
    path = child(path, "condition")
    try:
        condition = parse_condition(holder["condition"])
    except ConditionInvalid as error:
        faults.add_within(path, f"cannot be read: {error.message}", error.character)
        return
    _check_when(holder, path, condition, faults)
    for axis, character in condition.axes:
        if axis not in axes:
            faults.add_within(path, f"the stage's matrix has no axis {shorten(axis)}", character)


def _check_when(holder: Draft, path: str, condition: Condition, faults: Faults) -> None:
    when = holder.get("when")
    if when is None:
        return
    if condition.asks_state:
        faults.add(path, "asks for the state beside when; say it in one of them")
        return
    try:
        parse_condition(with_state(when, holder["condition"]) or "")
    except ConditionInvalid as error:
        faults.add(path, f"cannot be read beside when: {error.message}")


def _check_artifacts(artifacts: Sequence[Draft | None], path: str, axes: set[str], faults: Faults) -> None:
    seen: set[str] = set()
    for index, artifact in enumerate(artifacts):
        own = item(path, index)
        for key, text in (artifact or {}).items():
            if isinstance(text, str):
                _check_references(text, child(own, key) if faults.knows(child(own, key)) else own, axes, faults)
        name = (artifact or {}).get("name") or (artifact or {}).get("path")
        if name in seen:
            faults.add(own, f"is a second artifact named {shorten(name)} in this stage")
        elif name is not None:
            seen.add(name)


def _check_caches(caches: Sequence[Draft | None], path: str, axes: set[str], faults: Faults) -> None:
    for index, cache in enumerate(caches):
        for key, text in keys_of(cache or {}):
            _check_references(without_hashes(text), child(item(path, index), key), axes, faults)


def _check_reports(reports: Draft, path: str, axes: set[str], faults: Faults) -> None:
    for kind, globs in reports.items():
        for index, glob in enumerate(globs):
            own = item(child(path, kind), index)
            _check_references(glob or "", own if faults.knows(own) else child(path, kind), axes, faults)


def _check_labels(labels: Sequence[str | None], path: str, axes: set[str], faults: Faults) -> None:
    for index, label in enumerate(labels):
        own = item(path, index)
        _check_references(label or "", own if faults.knows(own) else path, axes, faults)


def _check_step(step: Draft, path: str, axes: set[str], faults: Faults, executors: Collection[str]) -> None:
    _check_condition(step, path, axes, faults)
    check_names(step["environment"], faults, child(path, "environment"), f"{path}.config.environment")
    directory = faults.first_known(child(path, "working_directory"), f"{path}.config.working_directory")
    _check_references(step["working_directory"], directory, axes, faults)
    kind = step["step_type"]
    if kind not in executors:
        place = faults.first_known(child(path, "step_type"), child(path, "type"))
        faults.add(place, f"step type '{kind}' needs an executor this server does not have")
    elif kind == "shell":
        _check_shell_step(step, path, faults)


def _check_shell_step(step: Draft, path: str, faults: Faults) -> None:
    for key in step["config"]:
        faults.add(child(child(path, "config"), key), "is not used by a shell step")
    spellings = ("run", "command", "args", "config.script", "config.command")
    if not any(faults.knows(f"{path}.{spelling}") for spelling in spellings):
        faults.add(path, "says nothing to do: a shell step needs run, command, config.script or config.command")


def _check_references(text: str, path: str, axes: set[str], faults: Faults) -> None:
    if at := malformed_reference(text):
        faults.add_within(path, "a variable is written ${NAME} or ${NAME:-default}", at)
    for axis, character in matrix_axes(text):
        if axis not in axes:
            faults.add_within(path, f"the stage's matrix has no axis {shorten(axis)}", character)
