"""The structure of headrace.yml: the keys of stages and steps, the form of their values, defaults, and a sentence each.
Those of the whole are in pipeline_keys.py.
"""

from typing import Final

from app.pipelines.definition.forms import Anything, Either, Flag, Key, ListOf, Number, Record, Text, Word
from app.pipelines.definition.synonyms import STEP_TYPES
from app.pipelines.definition.units import cpus, duration, size

MAX_STAGES: Final = 100
MAX_STEPS: Final = 100
MAX_AXES: Final = 10
MAX_CELLS: Final = 256
MAX_SCRIPT: Final = 64 * 1024
MAX_RETRIES: Final = 10
MAX_SECRETS: Final = 50
DAY: Final = 24 * 3600
DEFAULT_TIMEOUT: Final = 3600
DEFAULT_RETENTION: Final = 30 * DAY
DEFAULT_APPROVAL: Final = 7 * DAY
DEFAULT_READY: Final = 60

# Control characters, and those that change the direction or hide the end of a text: a name is shown in logs and pages.
_HIDDEN: Final = r"\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"
VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_]*"

NAME = Text(
    at_most=100,
    pattern=rf"(?!\.{{1,2}}$)[^/\s{_HIDDEN}](?:[^/{_HIDDEN}]*[^/\s{_HIDDEN}])?",
    hint="a name has no '/', no control character and no space at its ends",
)
LABEL = Text(at_most=100, pattern=rf"[^{_HIDDEN}]+", hint="it must be one line without control characters")
PATH = Text(
    at_most=500,
    pattern=rf"(?!/)(?!(?:.*/)?\.\.(?:/|$))[^\\{_HIDDEN}]+",
    hint="a path is inside the checkout: not absolute, with no '..' and no backslash",
)
URL = Text(
    at_most=2000, pattern=rf"https?://[^\s{_HIDDEN}]+", hint="it must begin with http:// or https://", strict=True
)
DESCRIPTION = Text(at_most=1000, at_least=0)
CONDITION = Text(at_most=1000)
SCRIPT = Text(at_most=MAX_SCRIPT)
RETRIES = Number(0, MAX_RETRIES)
TIMEOUT = duration(1, DAY)
WHEN = Word({"on_success": "on_success", "on_failure": "on_failure", "always": "always"})
APPROVER_PATTERN: Final = rf"(?:role:)?[^\s:{_HIDDEN}]+"
APPROVER: Final = "an approver is the name of a user, or role: and the name of a role"
ENVIRONMENT = Record(
    names=Text(
        at_most=100,
        pattern=VARIABLE,
        hint="a variable's name is letters, digits and '_', not a digit first",
        strict=True,
    ),
    values=Text(at_most=4096, at_least=0),
)
SECRETS = ListOf(
    Text(
        at_most=100,
        pattern=VARIABLE,
        hint="a secret's name is letters, digits and '_', not a digit first",
        strict=True,
    ),
    at_most=MAX_SECRETS,
)
PARAMETERS = Record(names=Text(at_most=100, strict=True), values=Anything())
IMAGE = Text(
    at_most=500,
    pattern=r"(?!-)[A-Za-z0-9._/:@${}-]+",
    hint="an image is written as name:tag or name@digest, such as python:3.12; it may hold ${NAME}",
    strict=True,
)
SERVICE = Record(
    {
        "name": Key(
            Text(
                at_most=63,
                pattern=r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
                hint="a service's name is a host name: small letters, digits and '-'",
                strict=True,
            ),
            "The host name by which steps reach it.",
            required=True,
        ),
        "image": Key(IMAGE, "Container image; may hold ${NAME}.", required=True),
        "environment": Key(ENVIRONMENT, "Variables of the service; may hold ${NAME}."),
        "command": Key(
            ListOf(Text(at_most=4096, at_least=0), at_least=1, at_most=100), "What it runs, word by word; the image's."
        ),
        "port": Key(Number(1, 65_535), "The TCP port it listens on when it is ready."),
        "ready": Key(SCRIPT, "Shell command within the service that succeeds when it is ready."),
        "timeout": Key(duration(1, 3600), "How long it may take until it is ready.", default=DEFAULT_READY),
    }
)
NODE_SELECTOR = Record(
    names=Text(
        at_most=317,
        pattern=r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?",
        hint="a node's label is letters, digits, '.', '_' and '-', perhaps behind a domain and '/'",
        strict=True,
    ),
    values=Text(
        at_most=63,
        at_least=0,
        pattern=r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?",
        hint="a label's value is letters, digits, '.', '_' and '-'",
    ),
    at_most=20,
)
RUNNER_LABEL = Text(
    at_most=200,
    pattern=r"(?!-)[A-Za-z0-9._${}:-]+",
    hint="a label is letters, digits, '.', '_' and '-'; it may hold ${NAME}",
    strict=True,
)
LIMITS = Record(
    {
        "memory": Key(size(1024**2, 1024**4), "Memory of the step's processes, in bytes or as 512Mi."),
        "cpus": Key(cpus(0.01, 256), "Processors, as 0.5, 2 or 500m."),
        "processes": Key(Number(1, 100_000), "Processes and threads alive at once."),
        "file_size": Key(size(1024, 1024**4), "The largest file the step may write, in bytes or as 1Gi."),
    }
)
STEP_CONFIG = Record(
    {
        "command": Key(SCRIPT, "One line for the shell."),
        "script": Key(SCRIPT, "Lines for the shell."),
        "working_directory": Key(PATH, "Directory within the checkout."),
        "environment": Key(ENVIRONMENT, "Variables of the step."),
        "image": Key(LABEL, "Container image."),
        "dockerfile": Key(PATH, "Dockerfile to build."),
        "build_context": Key(PATH, "Directory the build sees."),
        "registry": Key(LABEL, "Registry to push to."),
        "tags": Key(ListOf(LABEL), "Tags of the built image."),
        "namespace": Key(LABEL, "Kubernetes namespace."),
        "manifest": Key(SCRIPT, "Kubernetes manifest: a path or the YAML itself."),
        "helm_chart": Key(LABEL, "Helm chart to install."),
        "values": Key(PARAMETERS, "Values of the chart."),
        "region": Key(LABEL, "Cloud region."),
        "service": Key(LABEL, "Cloud service."),
        "action": Key(LABEL, "What the service is to do."),
        "parameters": Key(PARAMETERS, "Parameters of the action."),
        "repository_url": Key(Text(at_most=2000), "Repository to act on."),
        "branch": Key(LABEL, "Branch of that repository."),
        "commit": Key(LABEL, "Commit of that repository."),
        "credentials": Key(LABEL, "Name of the stored credentials to use."),
        "plugin_name": Key(LABEL, "Plug-in to run."),
        "plugin_config": Key(PARAMETERS, "Settings of the plug-in."),
        "disable_deployment_detection": Key(Flag(), "Accepted and without effect: nothing is guessed from names."),
    }
)
STEP = Record(
    {
        "name": Key(NAME, "Name of the step, unique in its stage.", required=True),
        "step_type": Key(Word(STEP_TYPES), "What runs the step.", default="shell"),
        "type": Key(Word(STEP_TYPES), "Short for step_type."),
        "condition": Key(CONDITION, "Expression; the step is skipped unless it holds."),
        "when": Key(WHEN, "After which steps it runs: on_success, on_failure or always."),
        "continue_on_error": Key(Flag(), "Whether later steps run although this one failed.", default=False),
        "timeout": Key(TIMEOUT, "Seconds, or text such as 10m; the stage's when it is left out."),
        "retry_count": Key(RETRIES, "How often a failed step is tried again.", default=0),
        "run": Key(SCRIPT, "Lines for the shell; short for config.script."),
        "command": Key(SCRIPT, "One line for the shell, or with args the program to run without a shell."),
        "args": Key(ListOf(Text(at_most=4096, at_least=0), at_most=200), "Arguments of command."),
        "environment": Key(ENVIRONMENT, "Variables of the step."),
        "secrets": Key(SECRETS, "Secrets that the step finds in its environment."),
        "working_directory": Key(PATH, "Directory within the checkout.", default="."),
        "image": Key(IMAGE, "Container image the step runs in; the stage's when it is left out."),
        "network": Key(Flag(), "Whether the step has a network; the stage's setting when it is left out."),
        "limits": Key(LIMITS, "Bounds on what the step may use; the server has its own, and the lower one holds."),
        "config": Key(STEP_CONFIG, "What the step's type needs."),
    }
)
AXIS = Text(
    at_most=50,
    pattern=VARIABLE,
    hint="an axis' name is letters, digits and '_', not a digit first",
    strict=True,
)
CELLS = ListOf(Record(names=AXIS, values=LABEL, at_most=MAX_AXES), at_most=MAX_CELLS)
MATRIX = Record(
    {
        "include": Key(CELLS, "Cells to add; each names every axis."),
        "exclude": Key(CELLS, "Cells to leave out: all that have these values."),
        "axes": Key(ListOf(AXIS, at_least=1, at_most=MAX_AXES), "Order of the axes in names; by default as written."),
    },
    names=AXIS,
    values=ListOf(LABEL, at_least=1, at_most=10_000),
    at_most=MAX_AXES,
)
ARTIFACT = Record(
    {
        "name": Key(NAME, "Name of the artifact; its path when it is left out."),
        "path": Key(PATH, "Glob within the checkout; a directory's name takes all beneath it.", required=True),
        "retention": Key(duration(3600, 365 * DAY), "How long it is kept, as 30d.", default="30d"),
    }
)
CACHE_KEY = Text(at_most=300)
CACHE_POLICY = Word({each: each for each in ("pull", "push", "pull-push")})
CACHE = Record(
    {
        "key": Key(CACHE_KEY, "What it is kept under; may hold ${hash:GLOB} and ${NAME}.", required=True),
        "paths": Key(ListOf(PATH, at_least=1, at_most=50), "Globs within the checkout.", required=True),
        "restore_keys": Key(ListOf(CACHE_KEY, at_most=10), "Beginnings of keys; the newest is taken."),
        "policy": Key(CACHE_POLICY, "Whether it is brought, kept, or both.", default="pull-push"),
    }
)
REPORTS = Record(
    {
        "junit": Key(
            Either(PATH, ListOf(PATH, at_least=1, at_most=50)), "Globs of JUnit XML files within the checkout."
        ),
    }
)
APPROVAL = Record(
    {
        "description": Key(DESCRIPTION, "What whoever decides should know."),
        "approvers": Key(
            ListOf(Text(at_most=200, pattern=APPROVER_PATTERN, hint=APPROVER), at_most=50),
            "Who may decide: names of users, or role:NAME; all who may approve executions when left out.",
        ),
        "expires_in": Key(duration(60, 30 * DAY), "How long the stage waits, as 2h.", default="7d"),
        "not_by_starter": Key(Flag(), "Whether it must be somebody else than who started the run.", default=False),
    }
)
DEPLOYS_TO = Record(
    {
        "name": Key(NAME, "Name of the environment in the workspace.", required=True),
        "url": Key(URL, "Where what is deployed can be seen; may hold ${NAME}."),
    }
)
STAGE = Record(
    {
        "name": Key(NAME, "Name of the stage, unique in the pipeline.", required=True),
        "description": Key(DESCRIPTION, "What the stage is for."),
        "depends_on": Key(ListOf(NAME), "Stages that must end first; the one before it when left out, [] for none."),
        "condition": Key(CONDITION, "Expression; the stage is skipped unless it holds."),
        "when": Key(WHEN, "After which stages it runs: on_success, on_failure or always."),
        "approval": Key(APPROVAL, "Somebody must let the stage run."),
        "deploys_to": Key(Either(NAME, DEPLOYS_TO), "Environment that the stage deploys to, one stage at a time."),
        "parallel": Key(Flag(), "Whether the stage's steps run at once.", default=False),
        "environment": Key(ENVIRONMENT, "Variables of the stage's steps."),
        "timeout": Key(TIMEOUT, "Seconds, or text such as 10m; the pipeline's when it is left out."),
        "retry_count": Key(RETRIES, "How often a failed stage is run again; the pipeline's when it is left out."),
        "continue_on_error": Key(Flag(), "Whether the pipeline goes on although this stage failed.", default=False),
        "network": Key(Flag(), "Whether the stage's steps have a network.", default=True),
        "runs_on": Key(
            Either(RUNNER_LABEL, ListOf(RUNNER_LABEL, at_least=1, at_most=20)),
            "Labels of the runner that takes the stage, all of them; without any the platform's own workers take it.",
        ),
        "image": Key(IMAGE, "Container image its steps run in; may hold ${NAME}."),
        "services": Key(ListOf(SERVICE, at_most=10), "Containers beside its steps, such as a database."),
        "node_selector": Key(NODE_SELECTOR, "Labels that a node must have where its containers run in pods."),
        "matrix": Key(MATRIX, "Axes and their values; the stage runs once for every cell."),
        "artifacts": Key(ListOf(Either(PATH, ARTIFACT), at_most=50), "Files to keep when the stage ends."),
        "cache": Key(ListOf(CACHE, at_most=10), "Files to have again in later runs."),
        "reports": Key(REPORTS, "Files that say how tests went; read when the stage ends, also when it failed."),
        "steps": Key(ListOf(STEP, at_least=1, at_most=MAX_STEPS), "What the stage does, in order.", required=True),
    }
)
