"""A .gitlab-ci.yml becomes a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.pipelines.definition.tree import Mapping, Node
from cli.converting.durations import run_timeout
from cli.converting.gitlab.expressions import Unreadable
from cli.converting.gitlab.jobs import Frame, read_job, wants_requests
from cli.converting.gitlab.rules import mentions, read_rules
from cli.converting.gitlab.scripts import Variables, read_variables
from cli.converting.gitlab.tree import Resolver, jobs_of, read_file
from cli.converting.gitlab.variables import DEFAULT_BRANCH, Known
from cli.converting.logic import Answer
from cli.converting.notes import NotConvertible, Notes
from cli.converting.shaping import Tree, fit_name
from cli.converting.source import Source, flag_of, get, items, line_of, text_of, texts

_DEFAULTS: Final = ("image", "services", "before_script", "after_script", "cache")
_KEYWORDS: Final = frozenset(
    (*_DEFAULTS, "stages", "types", "variables", "default", "workflow", "include", "spec", "pages:deploy")
)
_STAGES: Final = ("build", "test", "deploy")
_FIRST, _LAST = ".pre", ".post"


def convert_pipeline(source: Source, notes: Notes) -> Tree:
    """Return the definition that a file becomes; raises NotConvertible."""
    root = read_file(source, notes)
    resolver = Resolver(root, notes)
    for each in items(get(root, "include")):
        notes.lost(line_of(each), "include", "other files are not read; what they say is missing")
    jobs = {entry.key: resolver.job(entry.key) for entry in jobs_of(root, _KEYWORDS)}
    if not jobs:
        raise NotConvertible("has no jobs of its own: is it a file of GitLab CI?")
    variables = read_variables(
        resolver.resolved(get(root, "variables") or root) if get(root, "variables") else None, notes
    )
    _set_default_branch(variables, root, notes)
    frame = _frame(root, resolver, variables, notes)
    made = _read_jobs(jobs, frame, notes)
    tree: Tree = {"name": fit_name(text_of(get(root, "workflow", "name")) or "pipeline", default="pipeline")}
    if "$" in tree["name"]:
        tree["name"] = "pipeline"
    tree["triggers"] = _triggers(root, has_requests=frame.has_requests)
    tree["environment"] = variables.plain
    if flag_of(get(root, "workflow", "auto_cancel")) is None and mentions(
        get(root, "workflow", "auto_cancel"), "interruptible"
    ):
        tree["concurrency"] = {"group": "${CI_PIPELINE}-${BRANCH}${TAG}", "cancel_in_progress": True}
    _join(made, jobs, root, notes)
    tree["stages"] = list(made.values())
    tree["timeout"] = run_timeout(
        tree["stages"], {stage["name"]: stage.pop("seconds", 3600) for stage in made.values()}
    )
    return tree


def _set_default_branch(variables: Variables, root: Mapping, notes: Notes) -> None:
    if DEFAULT_BRANCH not in variables.plain and mentions(root, f"${DEFAULT_BRANCH}", f"${{{DEFAULT_BRANCH}"):
        variables.plain[DEFAULT_BRANCH] = "main"
        notes.check(None, DEFAULT_BRANCH, "is main here: set it to what the default branch is called")


def _frame(root: Mapping, resolver: Resolver, variables: Variables, notes: Notes) -> Frame:
    given = {key: entry for key, entry in root.entries.items() if key in _DEFAULTS}
    default = get(root, "default")
    if isinstance(default, Mapping):
        given |= default.entries
    defaults = resolver.resolved(Mapping(given, root.place, 1, 0)) if given else None
    has_requests = wants_requests(root)
    guard = _guard(resolver, root, variables, notes)
    return Frame(root, defaults if isinstance(defaults, Mapping) else None, variables, guard, has_requests)


def _guard(resolver: Resolver, root: Mapping, variables: Variables, notes: Notes) -> Answer:
    rules = get(root, "workflow", "rules")
    if rules is None:
        return True
    known = Known(frozenset(variables.plain), frozenset(variables.exports))
    try:
        return read_rules(resolver.resolved(rules), "always", known, notes, {}).answer
    except Unreadable as error:
        notes.lost(line_of(rules), "workflow: rules", f"are left out ({error}); jobs have their own rules alone")
        return True


def _read_jobs(jobs: dict[str, Mapping], frame: Frame, notes: Notes) -> dict[str, Tree]:
    made: dict[str, Tree] = {}
    for key, job in jobs.items():
        stage = read_job(fit_name(key, {each["name"] for each in made.values()}, "job"), job, frame, notes)
        if stage is not None:
            made[key] = stage
    return made


def _triggers(root: Mapping, *, has_requests: bool) -> list[Any]:
    found: list[Any] = ["push", "tag"]
    if has_requests:
        found.append("pull_request")
    if mentions(root, "schedule"):
        found.append("schedule")
    return found


def _join(made: dict[str, Tree], jobs: dict[str, Mapping], root: Mapping, notes: Notes) -> None:
    """Let stages depend on what their jobs need, else on all jobs of the stage before that has any."""
    order = [_FIRST, *(texts(get(root, "stages")) or texts(get(root, "types")) or _STAGES), _LAST]
    by_stage: dict[str, list[str]] = {}
    for key in made:
        by_stage.setdefault(text_of(get(jobs[key], "stage")) or "test", []).append(key)
    for key, stage in made.items():
        needs = get(jobs[key], "needs")
        if needs is not None:
            wanted = _needed(needs, made, notes, stage)
        else:
            wanted = _before(text_of(get(jobs[key], "stage")) or "test", order, by_stage)
        stage["depends_on"] = list(dict.fromkeys(made[each]["name"] for each in wanted if each in made and each != key))


def _needed(node: Node, made: dict[str, Tree], notes: Notes, stage: Tree) -> list[str]:
    found: list[str] = []
    for each in items(node):
        name = text_of(each) or text_of(get(each, "job"))
        if name is None or get(each, "project") is not None or get(each, "pipeline") is not None:
            notes.lost(line_of(each), "needs", "of another pipeline are left out", stage)
        elif name in made:
            found.append(name)
        elif flag_of(get(each, "optional")) is not True:
            notes.lost(line_of(each), "needs", f"{name} is not among the stages; it is not waited for", stage)
        if get(each, "parallel") is not None:
            notes.lost(line_of(each), "needs: parallel", "all cells are waited for", stage)
    return found


def _before(stage: str, order: Sequence[str], by_stage: dict[str, list[str]]) -> list[str]:
    place = order.index(stage) if stage in order else len(order)
    for earlier in reversed(order[:place]):
        if found := by_stage.get(earlier):
            return found
    return []
