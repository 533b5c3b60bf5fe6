"""What a context of GitHub Actions is called here: as a variable of the shell, and in texts that Headrace fills in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from cli.converting.github.expressions import Unreadable
from cli.converting.shaping import fit_variable

# Parts of shell text for double quotes, and of texts with ${NAME}: where one entry stands for both it is the same.
_VALUES: Final = {
    "github.sha": "${CI_COMMIT_SHA}",
    "github.event.pull_request.head.sha": "${CI_COMMIT_SHA}",
    "github.event.after": "${CI_COMMIT_SHA}",
    "github.ref_name": "${BRANCH}${TAG}",
    "github.ref": "${BRANCH}${TAG}",
    "github.head_ref": "${CI_PULL_REQUEST_BRANCH}",
    "github.event.pull_request.head.ref": "${CI_PULL_REQUEST_BRANCH}",
    "github.base_ref": "${CI_PULL_REQUEST_TARGET}",
    "github.event.pull_request.base.ref": "${CI_PULL_REQUEST_TARGET}",
    "github.event.pull_request.number": "${CI_PULL_REQUEST}",
    "github.event.number": "${CI_PULL_REQUEST}",
    "github.event_name": "${CI_EVENT}",
    "github.run_id": "${EXECUTION_ID}",
    "github.run_number": "${EXECUTION_ID}",
    "github.run_attempt": "${CI_ATTEMPT}",
    "github.workflow": "${CI_PIPELINE}",
    "github.job": "${CI_STAGE}",
    "github.workspace": "${WORKSPACE}",
    "runner.temp": "${BUILD_DIR}",
    "runner.os": "Linux",
    "runner.arch": "X64",
    "github.server_url": "https://github.com",
    "github.api_url": "https://api.github.com",
}
_FULL_REF: Final = "${BRANCH:+refs/heads/$BRANCH}${TAG:+refs/tags/$TAG}"
SHIMS: Final = {
    "GITHUB_SHA": "$CI_COMMIT_SHA",
    "GITHUB_REF": _FULL_REF,
    "GITHUB_REF_NAME": "$BRANCH$TAG",
    "GITHUB_HEAD_REF": "$CI_PULL_REQUEST_BRANCH",
    "GITHUB_BASE_REF": "$CI_PULL_REQUEST_TARGET",
    "GITHUB_EVENT_NAME": "$CI_EVENT",
    "GITHUB_RUN_ID": "$EXECUTION_ID",
    "GITHUB_RUN_NUMBER": "$EXECUTION_ID",
    "GITHUB_RUN_ATTEMPT": "$CI_ATTEMPT",
    "GITHUB_WORKFLOW": "$CI_PIPELINE",
    "GITHUB_JOB": "$CI_STAGE",
    "GITHUB_WORKSPACE": "$WORKSPACE",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_STEP_SUMMARY": "/dev/null",
    "GITHUB_OUTPUT": "/dev/null",
    "GITHUB_ENV": "/dev/null",
    "GITHUB_PATH": "/dev/null",
    "GITHUB_STATE": "/dev/null",
    "RUNNER_TEMP": "$BUILD_DIR",
    "RUNNER_OS": "Linux",
    "RUNNER_ARCH": "X64",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean at one place of a workflow.

    `axes` are the matrix' names here by how the workflow calls them, `fixed` the axes that have one value only,
    `variables` the names that steps find in their environment, `exported` those that only scripts set, `cleared` the
    matrix' names whose filler scripts take for nothing.
    """

    axes: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)
    variables: frozenset[str] = frozenset()
    exported: frozenset[str] = frozenset()
    cleared: tuple[str, ...] = ()

    def with_variables(self, names: frozenset[str], exported: frozenset[str]) -> Scope:
        """Return the scope within which further variables are set, some of them by the scripts alone."""
        return replace(self, variables=(self.variables | names) - exported, exported=(self.exported - names) | exported)


def secret_name(context: str) -> str | None:
    """Return the secret that a context stands for, or None."""
    if context == "github.token":
        return "GITHUB_TOKEN"
    return fit_variable(context.removeprefix("secrets.")) if context.startswith("secrets.") else None


def input_name(context: str) -> str | None:
    """Return the variable here for an input of the workflow, or None."""
    for prefix in ("inputs.", "github.event.inputs."):
        if context.startswith(prefix):
            return f"INPUT_{fit_variable(context.removeprefix(prefix)).upper()}"
    return None


def matrix_name(context: str) -> str | None:
    """Return what a context calls within its matrix, deeper names joined, or None."""
    return context.removeprefix("matrix.") if context.startswith("matrix.") else None


def shell_value(context: str, scope: Scope) -> str:
    """Return shell text, for double quotes, that a context is worth; raises Unreadable."""
    if context == "github.ref":
        return _FULL_REF
    if axis := matrix_name(context):
        return _axis(axis, scope, "${{MATRIX_{0}}}", upper=True)
    if secret := secret_name(context):
        return f"${{{secret}}}"
    return text_value(context, scope, in_script=True)


def text_value(context: str, scope: Scope, *, in_script: bool = False) -> str:
    """Return text with `${NAME}` that Headrace fills in, worth what a context is; raises Unreadable."""
    if axis := matrix_name(context):
        return _axis(axis, scope, "${{matrix.{0}}}", upper=False)
    if name := input_name(context):
        return f"${{{name}}}"
    if context.startswith("env."):
        name = fit_variable(context.removeprefix("env."))
        if name in scope.variables or in_script:
            return f"${{{name}}}"
    if context.startswith("vars."):
        return f"${{{fit_variable(context.removeprefix('vars.'))}}}"
    if context in _VALUES:
        return _VALUES[context]
    raise Unreadable(f"{context} is not known here")


def _axis(axis: str, scope: Scope, form: str, *, upper: bool) -> str:
    if axis in scope.fixed:
        return scope.fixed[axis]
    if axis not in scope.axes:
        raise Unreadable(f"matrix.{axis} is not known here")
    name = scope.axes[axis]
    return form.format(name.upper() if upper else name)
