"""The variables of Woodpecker, as exports of the scripts that read them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from cli.converting.scripts import names_in

VALUES: Final = {
    "CI_COMMIT_BRANCH": "$BRANCH",
    "CI_COMMIT_REF": "${BRANCH:+refs/heads/$BRANCH}${TAG:+refs/tags/$TAG}",
    "CI_COMMIT_TAG": "$TAG",
    "CI_COMMIT_PULL_REQUEST": "$CI_PULL_REQUEST",
    "CI_COMMIT_SOURCE_BRANCH": "$CI_PULL_REQUEST_BRANCH",
    "CI_COMMIT_TARGET_BRANCH": "$CI_PULL_REQUEST_TARGET",
    "CI_PIPELINE_NUMBER": "$EXECUTION_ID",
    "CI_PIPELINE_EVENT": "$CI_EVENT",
    "CI_WORKSPACE": "$WORKSPACE",
    "CI_WORKFLOW_NAME": "$CI_STAGE",
    "CI_STEP_NAME": "$CI_STEP",
    "CI_BUILD_NUMBER": "$EXECUTION_ID",
    "CI_BUILD_EVENT": "$CI_EVENT",
    "DRONE_COMMIT_SHA": "$CI_COMMIT_SHA",
    "DRONE_BRANCH": "$BRANCH",
    "DRONE_TAG": "$TAG",
}
_OURS: Final = frozenset(
    (
        "CI",
        "CI_COMMIT_SHA",
        "CI_COMMIT_SHORT_SHA",
        "CI_PIPELINE",
        "CI_STAGE",
        "CI_STEP",
        "CI_EVENT",
        "CI_ATTEMPT",
        "CI_TAG",
    )
)


def exports_for(script: str, axes: Collection[str]) -> dict[str, str]:
    """Return the exports by which a script finds Woodpecker's variables and the axes of its matrix."""
    names = names_in(script)
    found = {axis: f"$MATRIX_{axis.upper()}" for axis in axes if axis in names}
    return {**found, **{name: value for name, value in VALUES.items() if name in names and name not in found}}


def unknown_in(script: str, known: Collection[str]) -> list[str]:
    """Return the variables of Woodpecker's own that a script reads and nothing here sets."""
    rest = names_in(script) - {*VALUES, *_OURS, *known}
    return sorted(name for name in rest if name.startswith(("CI_", "DRONE_", "WOODPECKER_")))
