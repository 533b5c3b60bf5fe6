"""The scripts and variables of a job."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.pipelines.definition import RESERVED_NAMES
from app.pipelines.definition.tree import Mapping, Node
from cli.converting.gitlab.variables import Known, shims_for, unknown_in
from cli.converting.notes import Notes
from cli.converting.scripts import with_exports
from cli.converting.shaping import Tree, fit_variable
from cli.converting.source import entries, get, line_of, text_of, texts

LONGEST_VALUE = 4096


@dataclass(frozen=True, slots=True)
class Variables:
    """`plain` is for the definition; `exports` are worked out from other variables, so scripts export them."""

    plain: dict[str, str] = field(default_factory=dict)
    exports: dict[str, str] = field(default_factory=dict)


def read_variables(node: Node | None, notes: Notes) -> Variables:
    """Return what a `variables` says."""
    found = Variables()
    for entry in entries(node):
        value = get(entry.node, "value") if isinstance(entry.node, Mapping) else entry.node
        name, text = fit_variable(entry.key), text_of(value) or ""
        if name != entry.key:
            notes.lost(entry.place.line, f"variable {entry.key}", f"is {name} here")
        if (
            "$" in text.replace("$$", "")
            or name in RESERVED_NAMES
            or name.startswith("MATRIX_")
            or len(text) > LONGEST_VALUE
        ):
            found.exports[name] = (
                text.replace("\\", "\\\\").replace('"', '\\"').replace("`", "\\`").replace("$$", "\\$")
            )
        else:
            found.plain[name] = text.replace("$$", "$")
    return found


def add_steps(job: Node, defaults: Node | None, given: Variables, known: Known, notes: Notes, stage: Tree) -> None:
    """Add the script of a job as one step, and what runs after it as another."""
    before = _lines(job, defaults, "before_script")
    script = _lines(job, None, "script") or _lines(job, None, "run")
    if not script:
        return
    stage["steps"].append(_step("script", [*before, *script], line_of(get(job, "script")), given, known, notes))
    if after := _lines(job, defaults, "after_script"):
        step = _step("after_script", after, line_of(get(job, "after_script")), given, known, notes)
        stage["steps"].append({**step, "when": "always", "continue_on_error": True})


def _lines(job: Node, defaults: Node | None, key: str) -> list[str]:
    node = get(job, key)
    return texts(node if node is not None else get(defaults, key))


def _step(name: str, lines: list[str], line: int | None, given: Variables, known: Known, notes: Notes) -> Tree:
    script = "\n".join(text.rstrip("\n") for text in lines)
    whole = "\n".join((script, *given.exports.values()))
    step: Tree = {"name": name}
    for unknown in unknown_in(whole, known):
        notes.lost(line, unknown, "is not set here", step)
    if "$[[" in script:
        notes.lost(line, "$[[ inputs ]]", "is not filled in here", step)
    step["run"] = with_exports(script, {**shims_for(whole, known), **given.exports})
    return step
