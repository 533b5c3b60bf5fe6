"""The language of headrace.yml: text to definition, definition to plan, conditions, and the published schema.

Pure: no IO, no Flask, no SQLAlchemy. Input is hostile until `parse`, `parse_tree` or `parse_variables` returned it;
all three raise DefinitionInvalid, which carries every fault. The user's reference is docs/pipelines.md.
"""

from app.pipelines.definition.caching import expand_key
from app.pipelines.definition.conditions import ConditionInvalid, State, evaluate, parse_condition, should_run
from app.pipelines.definition.cron import DEFAULT_TIMEZONE, find_cron_fault, find_timezone_fault, next_tick
from app.pipelines.definition.expansion import PathOutside, expand, expand_path
from app.pipelines.definition.faults import DefinitionInvalid, Fault
from app.pipelines.definition.globs import matches_artifact, matches_glob
from app.pipelines.definition.including import include_all
from app.pipelines.definition.matrix import Matrix
from app.pipelines.definition.model import (
    Artifact,
    Cache,
    Definition,
    Limits,
    Notifications,
    Reports,
    Service,
    Stage,
    Step,
    Target,
    Trigger,
    TriggerConfig,
)
from app.pipelines.definition.plan import (
    Plan,
    PlanCorrupt,
    PlannedStage,
    PlannedStep,
    PullRequest,
    RunContext,
    make_plan,
    planned_names,
)
from app.pipelines.definition.reading import (
    SHELL_AND_CONTAINERS,
    SHELL_ONLY,
    MediaType,
    from_stored_triggers,
    parse,
    parse_tree,
)
from app.pipelines.definition.schema import json_schema
from app.pipelines.definition.secrets import find_secret_name_fault
from app.pipelines.definition.variables import (
    RESERVED_NAMES,
    Directories,
    built_in_variables,
    find_group,
    parse_variables,
    runner_labels,
    stage_variables,
    step_variables,
)

__all__ = [
    "DEFAULT_TIMEZONE",
    "RESERVED_NAMES",
    "SHELL_AND_CONTAINERS",
    "SHELL_ONLY",
    "Artifact",
    "Cache",
    "ConditionInvalid",
    "Definition",
    "DefinitionInvalid",
    "Directories",
    "Fault",
    "Limits",
    "Matrix",
    "MediaType",
    "Notifications",
    "PathOutside",
    "Plan",
    "PlanCorrupt",
    "PlannedStage",
    "PlannedStep",
    "PullRequest",
    "Reports",
    "RunContext",
    "Service",
    "Stage",
    "State",
    "Step",
    "Target",
    "Trigger",
    "TriggerConfig",
    "built_in_variables",
    "evaluate",
    "expand",
    "expand_key",
    "expand_path",
    "find_cron_fault",
    "find_group",
    "find_secret_name_fault",
    "find_timezone_fault",
    "from_stored_triggers",
    "include_all",
    "json_schema",
    "make_plan",
    "matches_artifact",
    "matches_glob",
    "next_tick",
    "parse",
    "parse_condition",
    "parse_tree",
    "parse_variables",
    "planned_names",
    "runner_labels",
    "should_run",
    "stage_variables",
    "step_variables",
]
