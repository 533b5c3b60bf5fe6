"""One attempt of a stage as it travels to a runner: the briefing, with the secrets that are for its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any
from uuid import UUID

from app.pipelines import Briefing, NeededArtifact
from app.pipelines.definition import Plan, State

_IDS = ("execution_id", "organization_id", "workspace_id", "pipeline_id", "environment_id", "stage_id")
_SAME = ("repository_url", "branch", "tag", "fetch_ref", "commit_sha", "trusted", "seconds_left")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a runner is given: `attempt` of a job, until its lease ends. `opening` and `values` are secrets: those that
    open the repository, and those that steps name."""

    job_id: UUID
    attempt: int
    briefing: Briefing
    opening: Mapping[str, str] = field(repr=False)
    values: Mapping[str, str] = field(repr=False)


def assignment_to_json(given: Assignment) -> dict[str, Any]:
    """Return the form for the wire. Of the plan it has the one stage."""
    told = given.briefing
    alone = replace(told.plan, stages=(told.planned,))
    return {
        "job_id": str(given.job_id),
        "attempt": given.attempt,
        "briefing": {
            **{name: str(value) if (value := getattr(told, name)) else None for name in _IDS},
            **{name: getattr(told, name) for name in _SAME},
            "attempt": told.attempt,
            "plan": alone.to_json(),
            "stage": told.planned.name,
            "blocked": told.needs.failed,
            "needed_artifacts": [{"path": one.path, "key": one.key} for one in told.needed_artifacts],
            "steps": {name: str(step_id) for name, step_id in told.steps.items()},
        },
        "secrets": {"opening": dict(given.opening), "values": dict(given.values)},
    }


def assignment_from_json(plain: Mapping[str, Any]) -> Assignment:
    """Read it back; the platform is believed."""
    told, secrets = plain["briefing"], plain["secrets"]
    plan = Plan.from_json(told["plan"])
    made = {
        **{name: UUID(told[name]) if told[name] else None for name in _IDS},
        **{name: told[name] for name in _SAME},
        "attempt": told["attempt"],
        "plan": plan,
        "planned": plan.stage(told["stage"]),
        "needs": State(failed=told["blocked"]),
        "needed_artifacts": tuple(NeededArtifact(one["path"], one["key"]) for one in told["needed_artifacts"]),
        "steps": {name: UUID(step_id) for name, step_id in told["steps"].items()},
    }
    briefing = Briefing(**{each.name: made[each.name] for each in fields(Briefing)})
    return Assignment(UUID(plain["job_id"]), plain["attempt"], briefing, secrets["opening"], secrets["values"])
