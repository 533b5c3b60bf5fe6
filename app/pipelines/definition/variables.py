"""The variables every step finds, and the rule which of several values for one name holds.

From weakest to strongest: the workspace's variables, the pipeline's environment, variables given at the start, the
stage's, the step's, the matrix's. A built-in name can be given by none of them, except CI, which tools read and people
rightly switch off.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.pipelines.definition.codec import digest_of
from app.pipelines.definition.expansion import expand, expand_path
from app.pipelines.definition.faults import Faults, child
from app.pipelines.definition.language import ENVIRONMENT
from app.pipelines.definition.plan import Plan, PlannedStage, PlannedStep
from app.pipelines.definition.tree import load_object

RESERVED_PREFIX: Final = "MATRIX_"
RESERVED_NAMES: Final = frozenset(
    {
        "HEADRACE",
        "BRANCH",
        "TAG",
        "CI_TAG",
        "CI_COMMIT_SHA",
        "CI_COMMIT_SHORT_SHA",
        "BUILD_SHA",
        "BUILD_ID",
        "EXECUTION_ID",
        "WORKSPACE",
        "WORKING_DIR",
        "SOURCE_DIR",
        "BUILD_DIR",
        "ARTIFACTS_DIR",
        "CI_PIPELINE",
        "CI_STAGE",
        "CI_STEP",
        "CI_ATTEMPT",
        "CI_EVENT",
        "CI_PULL_REQUEST",
        "CI_PULL_REQUEST_BRANCH",
        "CI_PULL_REQUEST_TARGET",
    }
)
# What makes a shell, a loader or a language run code of its reader's choosing: whoever may only start a pipeline must
# not bring code of their own to its secrets. The definition's author may set them.
_RUNS_CODE: Final = frozenset(
    (
        *("BASH_ENV", "BASHOPTS", "CDPATH", "ENV", "GCONV_PATH", "GLIBC_TUNABLES", "HOME", "IFS", "LOCPATH", "PATH"),
        *("PROMPT_COMMAND", "PS4", "SHELLOPTS", "TMPDIR", "EDITOR", "PAGER", "MAKEFLAGS", "MAKEFILES", "NODE_OPTIONS"),
        *("NODE_PATH", "PERL5DB", "PERL5LIB", "PERL5OPT", "RUBYLIB", "RUBYOPT", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"),
        *("JDK_JAVA_OPTIONS", "CLASSPATH", "PHPRC", "PHP_INI_SCAN_DIR", "LUA_INIT", "LESSOPEN", "BROWSER"),
    )
)
_RUNS_CODE_BEGINNINGS: Final = ("BASH_FUNC_", "DYLD_", "GIT_", "LD_", "PIP_", "NPM_CONFIG_", "npm_config_", "PYTHON")
_SHORT_SHA: Final = 8
_GROUP_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Directories:
    """Absolute paths a running step sees: the checkout, a scratch directory, and where artifacts are gathered."""

    source: str = ""
    build: str = ""
    artifacts: str = ""


def built_in_variables(
    plan: Plan,
    stage: PlannedStage | None = None,
    step: PlannedStep | None = None,
    *,
    commit_sha: str | None = None,
    attempt: int | None = None,
    directories: Directories | None = None,
) -> dict[str, str]:
    """Every built-in but WORKING_DIR; what is not known yet is empty. `commit_sha` is the one that was checked out."""
    commit, tag, at = commit_sha or plan.commit_sha or "", plan.tag or "", directories or Directories()
    request = plan.pull_request
    return {
        "CI": "true",
        "HEADRACE": "true",
        "BRANCH": plan.branch or "",
        "TAG": tag,
        "CI_TAG": tag,
        "CI_COMMIT_SHA": commit,
        "CI_COMMIT_SHORT_SHA": commit[:_SHORT_SHA],
        "BUILD_SHA": commit,
        "BUILD_ID": plan.execution_id,
        "EXECUTION_ID": plan.execution_id,
        "WORKSPACE": at.source,
        "SOURCE_DIR": at.source,
        "BUILD_DIR": at.build,
        "ARTIFACTS_DIR": at.artifacts,
        "CI_PIPELINE": plan.pipeline,
        "CI_STAGE": stage.name if stage else "",
        "CI_STEP": step.name if step else "",
        "CI_ATTEMPT": str(attempt) if attempt else "",
        "CI_EVENT": plan.trigger,
        "CI_PULL_REQUEST": str(request.number) if request else "",
        "CI_PULL_REQUEST_BRANCH": request.branch if request else "",
        "CI_PULL_REQUEST_TARGET": request.base_branch if request else "",
    }


def find_group(plan: Plan) -> str | None:
    """The name of the plan's concurrency group, or None. What only a checkout tells is empty in it."""
    if plan.concurrency is None:
        return None
    name = expand(plan.concurrency.group, _override(built_in_variables(plan), plan.environment)).strip()
    if len(name) > _GROUP_LENGTH:
        name = f"{name[:100]}-{digest_of(name)}"
    return name or None


def stage_variables(
    plan: Plan, stage: PlannedStage, *, commit_sha: str | None = None, attempt: int | None = None
) -> dict[str, str]:
    """What a stage's condition and its artifacts may name."""
    return _override(
        built_in_variables(plan, stage, commit_sha=commit_sha, attempt=attempt), plan.environment_of(stage)
    )


def runner_labels(plan: Plan, stage: PlannedStage) -> list[str]:
    """The labels that a stage's runner must have, in small letters; none where any worker may take it.

    A label that a value has made empty stays: it asks for a runner of its own all the same.
    """
    variables = stage_variables(plan, stage)
    return sorted({expand(label, variables).lower() for label in stage.runs_on or ()})


def step_variables(
    plan: Plan, stage: PlannedStage, step: PlannedStep, *, commit_sha: str, attempt: int, directories: Directories
) -> dict[str, str]:
    """The whole environment of a step, which its condition may name too; raises PathOutside.

    WORKING_DIR is the step's working directory, whose text may name any of the others.
    """
    built_in = built_in_variables(plan, stage, step, commit_sha=commit_sha, attempt=attempt, directories=directories)
    variables = _override(built_in, plan.environment_of(stage, step))
    within = expand_path(step.working_directory, variables, directories.source)
    return {**variables, "WORKING_DIR": posixpath.normpath(posixpath.join(directories.source, within))}


def parse_variables(value: object, *, at_start: bool = False) -> dict[str, str]:
    """Variables from decoded JSON. Raises DefinitionInvalid with paths under `variables`.

    Those given `at_start` may not be of the kind that makes programs run code.
    """
    faults = Faults()
    read = ENVIRONMENT.read(load_object({} if value is None else value, faults, "variables"), "variables", faults)
    check_names(read or {}, faults, "variables")
    for name in read or {}:
        if at_start and (name in _RUNS_CODE or name.startswith(_RUNS_CODE_BEGINNINGS)):
            faults.add(child("variables", name), "changes what the steps run; only the pipeline itself can set it")
    if faults:
        raise faults.invalid()
    return read or {}


def check_names(environment: Mapping[str, str], faults: Faults, *paths: str) -> None:
    """Add a fault for each name that Headrace sets itself, at the one of `paths` where it was written."""
    for name in environment:
        path = faults.first_known(*(child(path, name) for path in paths))
        if name in RESERVED_NAMES:
            faults.add(path, "is a built-in variable and cannot be set")
        elif name.startswith(RESERVED_PREFIX):
            faults.add(path, f"begins with {RESERVED_PREFIX}, which names the axes of a matrix")


def _override(built_in: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    allowed = {name: value for name, value in environment.items() if name not in RESERVED_NAMES}
    return {**built_in, **allowed}
