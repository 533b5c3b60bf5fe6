"""Events against the triggers of a definition; whoever is refused is told why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.pipelines.definition import Trigger, TriggerConfig, matches_artifact, matches_glob
from app.pipelines.triggers.common import ACTIONS
from app.pipelines.triggers.event import RepositoryEvent

DEFAULT_ACTIONS: Final = ("opened", "synchronize", "reopened")
DEFAULT_ENDS: Final = ("succeeded",)
NO_ACTIONS: Final = frozenset({"pull_request", "pull_request_sync", "merge_request"})
MOST_REASON: Final = 500

_MARKERS = re.compile(r"\[(?:skip ci|ci skip)\]", re.IGNORECASE)
_TRAILER = re.compile(r"^skip-checks:\s*true\s*\Z", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a pipeline is started: by which type of trigger, or why not."""

    trigger_type: str | None
    reason: str | None


def judge_all(
    triggers: Sequence[Trigger], event: RepositoryEvent, is_late: Callable[[], bool] = lambda: False
) -> Verdict:
    """Return the verdict on a pipeline with these triggers: one that lets the event pass is enough.

    Once it `is_late`, changed paths are not looked at any more: to match thousands of them may take long.
    """
    reasons: list[str] = []
    for trigger in triggers:
        if is_late():
            event = replace(event, changed_complete=False)
        refused = judge(trigger, event)
        if refused is None:
            return Verdict(trigger.trigger_type, None)
        reasons.append(f"{trigger.trigger_type}: {refused}")
    return Verdict(None, "; ".join(dict.fromkeys(reasons))[:MOST_REASON] or "It has no triggers.")


def judge(trigger: Trigger, event: RepositoryEvent) -> str | None:
    """Return why a trigger does not let an event pass, or None when it does."""
    check = _CHECKS.get(trigger.trigger_type)
    if check is None:
        return "no event of a repository starts it"
    return check(trigger.config, event) or _refuse_repository(trigger.config, event)


def judge_finished(trigger: Trigger, pipeline: str, status: str, branch: str | None) -> str | None:
    """Return why a trigger does not follow the end of an execution of `pipeline`, or None when it does."""
    config = trigger.config
    if config.pipeline != pipeline:
        return f"it follows {config.pipeline!r}, not {pipeline!r}"
    wanted = config.on or DEFAULT_ENDS
    if status not in wanted:
        return f"the execution is {status}, none of {', '.join(wanted)}"
    return _refuse_glob("branch", branch, config.branch_patterns)


def find_skip_reason(event: RepositoryEvent) -> str | None:
    """Return why an event asks not to be run, or None."""
    if _MARKERS.search(event.title):
        return "The title asks to skip it."
    if _MARKERS.search(event.message) or _TRAILER.search(event.message.rstrip()):
        return "The commit's message asks to skip it."
    return None


def _refuse_push(config: TriggerConfig, event: RepositoryEvent) -> str | None:
    if event.kind == "tag" and config.tag_patterns:
        return _refuse_tag(config, event)
    if event.kind != "push":
        return f"this is a {_noun(event)}"
    if config.tag_patterns and not config.branch_patterns:
        return "it asks for tags"
    named = _refuse_name(config, event, "push", "git_push")
    return named or _refuse_glob("branch", event.branch, config.branch_patterns) or _refuse_path(config, event)


def _refuse_tag(config: TriggerConfig, event: RepositoryEvent) -> str | None:
    if event.kind != "tag":
        return f"this is a {_noun(event)}"
    named = _refuse_name(config, event, "push", "tag", "git_tag", "tag_push")
    return named or _refuse_glob("tag", event.tag, config.tag_patterns)


def _refuse_pull_request(config: TriggerConfig, event: RepositoryEvent) -> str | None:
    if event.kind != "pull_request":
        return f"this is a {_noun(event)}"
    wanted = {ACTIONS.get(name, name) for name in _lower(config.events)} - NO_ACTIONS or set(DEFAULT_ACTIONS)
    if not wanted & _actions_of(event):
        return f"the action {event.action!r} is none of {', '.join(sorted(wanted))}"
    return _refuse_glob("base branch", event.base_branch, config.branch_patterns) or _refuse_path(config, event)


def _refuse_any(config: TriggerConfig, event: RepositoryEvent) -> str | None:
    """A trigger of type webhook takes what its `events` name, by the host's name; else whatever has a commit."""
    if config.events:
        named = _refuse_name(config, event, event.kind, *filter(None, (event.action,)))
    else:
        named = "its events do not name it" if event.kind == "other" else None
    if named:
        return named
    branch = event.base_branch or event.branch
    return (
        (branch and _refuse_glob("branch", branch, config.branch_patterns))
        or (event.tag and _refuse_glob("tag", event.tag, config.tag_patterns))
        or None
    )


_CHECKS: Final[Mapping[str, Callable[[TriggerConfig, RepositoryEvent], str | None]]] = {
    "git_push": _refuse_push,
    "git_tag": _refuse_tag,
    "pull_request": _refuse_pull_request,
    "webhook": _refuse_any,
}


def _noun(event: RepositoryEvent) -> str:
    nouns = {"push": "push to a branch", "tag": "push of a tag", "pull_request": "pull request"}
    return nouns.get(event.kind, f"delivery of {event.event!r}")


def _actions_of(event: RepositoryEvent) -> set[str]:
    """A pull request that was merged was closed as well."""
    return {"merged", "closed"} if event.action == "merged" else {event.action or ""}


def _lower(names: Iterable[str]) -> list[str]:
    return [name.strip().lower() for name in names]


def _refuse_name(config: TriggerConfig, event: RepositoryEvent, *others: str) -> str | None:
    known = {event.event.lower(), event.event.lower().removesuffix(" hook").replace(" ", "_"), *others}
    if not config.events or known & set(_lower(config.events)):
        return None
    return f"the event {event.event!r} is none of {', '.join(config.events)}"


def _refuse_glob(kind: str, name: str | None, patterns: tuple[str, ...]) -> str | None:
    if not patterns or any(matches_glob(pattern, name or "") for pattern in patterns):
        return None
    return f"the {kind} {name!r} matches none of {', '.join(patterns)}"


def _refuse_path(config: TriggerConfig, event: RepositoryEvent) -> str | None:
    """What the host does not tell whole may have changed the path: rather a run too many than one too few."""
    if config.path is None or not event.changed_complete:
        return None
    if any(matches_artifact(config.path, path) for path in event.changed):
        return None
    return f"nothing below {config.path!r} was changed"


def _refuse_repository(config: TriggerConfig, event: RepositoryEvent) -> str | None:
    if config.repository is None or config.repository.lower() in _names_of(event):
        return None
    return f"the repository {event.repository!r} is not {config.repository!r}"


def _names_of(event: RepositoryEvent) -> set[str]:
    return {event.repository.lower()} | {address.lower() for address in event.addresses}
