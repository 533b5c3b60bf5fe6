"""The variables of GitLab CI: in conditions, in texts that Headrace fills in, and as exports of scripts."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from app.pipelines.definition import RESERVED_NAMES
from cli.converting.scripts import names_in

# What a variable is here, as a text with ${NAME}: shells read it too.
VALUES: Final = {
    "CI_COMMIT_BRANCH": "${BRANCH}",
    "CI_COMMIT_REF_NAME": "${BRANCH}${TAG}",
    "CI_COMMIT_REF_SLUG": "${BRANCH}${TAG}",
    "CI_COMMIT_TAG": "${TAG}",
    "CI_COMMIT_SHA": "${CI_COMMIT_SHA}",
    "CI_COMMIT_SHORT_SHA": "${CI_COMMIT_SHORT_SHA}",
    "CI_MERGE_REQUEST_IID": "${CI_PULL_REQUEST}",
    "CI_MERGE_REQUEST_ID": "${CI_PULL_REQUEST}",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "${CI_PULL_REQUEST_BRANCH}",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "${CI_PULL_REQUEST_TARGET}",
    "CI_PIPELINE_ID": "${EXECUTION_ID}",
    "CI_PIPELINE_IID": "${EXECUTION_ID}",
    "CI_JOB_ID": "${EXECUTION_ID}",
    "CI_JOB_NAME": "${CI_STAGE}",
    "CI_JOB_NAME_SLUG": "${CI_STAGE}",
    "CI_JOB_STAGE": "${CI_STAGE}",
    "CI_PIPELINE_SOURCE": "${CI_EVENT}",
    "CI_PROJECT_DIR": "${WORKSPACE}",
}
_SLUG: Final = (
    "$(printf %s \\\"$BRANCH$TAG\\\" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9]/-/g;s/^-*//;s/-*$//' | cut -c1-63)"
)
DEFAULT_BRANCH: Final = "CI_DEFAULT_BRANCH"
SOURCES: Final = {
    "push": ("git_push", "git_tag"),
    "merge_request_event": ("pull_request",),
    "external_pull_request_event": ("pull_request",),
    "schedule": ("schedule",),
    "web": ("manual",),
    "webide": ("manual",),
    "chat": ("manual",),
    "api": ("api",),
    "trigger": ("api",),
    "pipeline": ("pipeline",),
    "parent_pipeline": (),
}
_OUR_OWN: Final = RESERVED_NAMES | {"CI"}
_NAME: Final = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))|%([A-Za-z_]+)%")


@dataclass(frozen=True, slots=True)
class Known:
    """The variables of a place: `plain` in the environment, `exported` by scripts alone, `axes` of the matrix."""

    plain: frozenset[str] = frozenset()
    exported: frozenset[str] = frozenset()
    axes: frozenset[str] = field(default_factory=frozenset)

    def names(self) -> Collection[str]:
        return self.plain | self.exported | self.axes


def shims_for(script: str, known: Known) -> dict[str, str]:
    """Return the exports by which a script finds GitLab's variables and the axes of its matrix."""
    names, found = names_in(script), dict[str, str]()
    for axis in sorted(known.axes & names):
        found[axis] = f"$MATRIX_{axis.upper()}"
    for name in sorted(names - set(known.names())):
        if name in ("CI_COMMIT_REF_SLUG", "CI_COMMIT_BRANCH") or (name in VALUES and name not in _OUR_OWN):
            found[name] = _SLUG.replace("\\", "") if name == "CI_COMMIT_REF_SLUG" else VALUES[name]
    return found


def unknown_in(script: str, known: Known) -> list[str]:
    """Return the variables of GitLab's own that a script reads and nothing here sets."""
    ours = {*VALUES, *_OUR_OWN, *known.names(), DEFAULT_BRANCH}
    return sorted(
        name
        for name in names_in(script) - ours
        if name.startswith(("CI_", "GITLAB_")) and not name.startswith("CI_DEBUG")
    )


def filled_in(text: str, known: Known) -> str:
    """Return a text in which Headrace fills in the same values."""

    def replaced(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3]
        if name in known.axes:
            return f"${{matrix.{name}}}"
        return VALUES.get(name, f"${{{name}}}")

    return _NAME.sub(replaced, text.replace("${{", "{{"))
