"""The steps of a job: scripts as they are, with the old names exported; actions as far as they are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from app.pipelines.definition.tree import Node
from cli.converting.github.conditions import read_condition
from cli.converting.github.contexts import SHIMS, Scope
from cli.converting.github.environments import Environment, read_environment
from cli.converting.github.expressions import Unreadable
from cli.converting.github.templates import as_script, as_text, without_templates
from cli.converting.notes import Notes
from cli.converting.scripts import fed_to, names_in, with_exports
from cli.converting.shaping import NEVER, Tree, fit_name
from cli.converting.source import flag_of, get, line_of, text_of

_HANDED_ON: Final = {
    "GITHUB_ENV": "variables do not pass from step to step",
    "GITHUB_OUTPUT": "outputs do not pass from step to step",
    "GITHUB_PATH": "PATH does not pass from step to step",
    "GITHUB_STATE": "state does not pass from step to step",
}
_UNKNOWN: Final = ("GITHUB_REPOSITORY", "GITHUB_ACTOR", "GITHUB_EVENT_PATH", "GITHUB_TOKEN", "GITHUB_ACTION_PATH")


@dataclass(frozen=True, slots=True)
class Job:
    """What the steps of one job share; `stage` is what becomes of it."""

    stage: Tree
    scope: Scope
    notes: Notes
    environment: Environment = field(default_factory=Environment)
    shell: str | None = None
    directory: str | None = None

    def names(self) -> set[str]:
        """Return the names that steps of the stage have already."""
        return {step["name"] for step in self.stage["steps"]}


def read_timeout(node: Node | None, scope: Scope, notes: Notes, part: Tree) -> str | None:
    """Return `timeout-minutes` as a duration."""
    text = text_of(node)
    if text is None:
        return None
    minutes = _number(text, scope)
    if minutes is None:
        notes.lost(line_of(node), "timeout-minutes", f"{text} is not known here", part)
        return None
    return f"{max(1, min(round(minutes * 60), 24 * 3600))}s" if minutes != int(minutes) else f"{int(minutes)}m"


def _number(text: str, scope: Scope) -> float | None:
    try:
        number = float(as_text(text, scope))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def guard(node: Node | None, scope: Scope, notes: Notes, part: Tree) -> None:
    """Give a stage or a step the condition of its `if`. One that cannot be said never holds."""
    text = text_of(node)
    if text is None:
        return
    try:
        condition = read_condition(text, scope)
    except Unreadable as error:
        notes.lost(line_of(node), "if", f"{text} cannot be said here ({error}); it never runs until you say it", part)
        condition = NEVER
    if condition is not None:
        part["condition"] = condition


def go_on(node: Node | None, notes: Notes, part: Tree) -> None:
    """Take over `continue-on-error`."""
    if (flag := flag_of(node)) is not None:
        part["continue_on_error"] = flag or None
    elif (text := text_of(node)) is not None:
        notes.lost(line_of(node), "continue-on-error", f"{text} is worked out; a failure counts", part)


def add_script(job: Job, step: Node, script_node: Node) -> None:
    """Add a `run` step to the stage."""
    line, script = line_of(script_node), text_of(script_node) or ""
    name = text_of(get(step, "name")) or script.strip().split("\n")[0]
    made: Tree = {"name": fit_name(without_templates(name), job.names())}
    environment = read_environment(get(step, "env"), job.scope, job.notes).over(job.environment)
    inner = replace(job, scope=environment.scope(job.scope), environment=environment)
    rendered = as_script(script, inner.scope)
    for unread in rendered.unread:
        job.notes.lost(line, unread, "is not known here; the step fails where it stands", made)
    text = _through_shell(inner, step, rendered.text, line)
    if text is None:
        return
    guard(get(step, "if"), inner.scope, job.notes, made)
    go_on(get(step, "continue-on-error"), job.notes, made)
    made["timeout"] = read_timeout(get(step, "timeout-minutes"), inner.scope, job.notes, made)
    made["working_directory"] = _directory(inner, step)
    made["environment"] = dict(environment.plain)
    exports = _exports(environment, text, line, job.notes, made)
    made["secrets"] = sorted((rendered.secrets | environment.secrets) - set(environment.plain))
    _note_secrets(made["secrets"], line, job.notes)
    made["run"] = with_exports(text, exports, _cleared(inner.scope, text, exports))
    job.stage["steps"].append(made)


def _through_shell(job: Job, step: Node, script: str, line: int | None) -> str | None:
    shell = (text_of(get(step, "shell")) or job.shell or "bash").strip()
    program = shell.split()[0].lower()
    if program in ("bash", "sh"):
        return script
    if program in ("pwsh", "powershell", "cmd"):
        job.notes.lost(line, f"shell: {program}", f"the step {text_of(get(step, 'name')) or ''} is left out", job.stage)
        return None
    if program == "python":
        return fed_to("python3 -", script)
    if shell.endswith(" {0}"):
        return fed_to(shell.removesuffix(" {0}") + " /dev/stdin", script)
    job.notes.lost(line, f"shell: {shell}", "is not known here; the step is left out", job.stage)
    return None


def _directory(job: Job, step: Node) -> str | None:
    node = get(step, "working-directory")
    given = text_of(node) or job.directory
    if given is None:
        return None
    try:
        path = as_text(given, job.scope).removeprefix("${WORKSPACE}/").removeprefix("./").rstrip("/")
    except Unreadable as error:
        job.notes.lost(line_of(node), "working-directory", str(error), job.stage)
        return None
    return None if path in ("", ".") else path


def _exports(environment: Environment, script: str, line: int | None, notes: Notes, part: Tree) -> dict[str, str]:
    names = names_in(script) | {name for value in environment.exports.values() for name in names_in(value)}
    known = {name: value for name, value in SHIMS.items() if name in names and name not in environment.plain}
    for name in sorted(names & set(_HANDED_ON)):
        notes.lost(line, name, _HANDED_ON[name], part)
    given = {*environment.plain, *environment.exports, *environment.secrets}
    for name in sorted(names & set(_UNKNOWN) - given):
        notes.lost(line, name, "is not set here", part)
    return {**known, **environment.exports}


def _cleared(scope: Scope, script: str, exports: dict[str, str]) -> list[str]:
    names = names_in(script).union(*map(names_in, exports.values()))
    return [name for axis in scope.cleared if (name := f"MATRIX_{axis.upper()}") in names]


def _note_secrets(names: list[str], line: int | None, notes: Notes) -> None:
    for name in names:
        extra = ": none is made for each run" if name == "GITHUB_TOKEN" else ""
        notes.check(line, f"secret {name}", f"must be there, in the workspace or above{extra}")


Handler = Callable[[Job, Node], None]
