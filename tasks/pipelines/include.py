"""Reading the files that a pipeline includes, at the commit of the run, into the plan that is then frozen."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

from app.jobs import Run
from app.pipelines import Execution, IncludeInvalid
from app.pipelines.definition import SHELL_AND_CONTAINERS, SHELL_ONLY, DefinitionInvalid, Plan, include_all
from tasks.pipelines.gateways.base import CheckoutRequest, GitCredentials, ReadFile
from tasks.tools import Tools

SECONDS = 300.0
MOST_BYTES = 4 * 1024**3


def read_includes(
    run: Run, execution: Execution, commit_sha: str, login: GitCredentials | None, tools: Tools
) -> Plan | None:
    """Return the plan with all its stages, None for one that has them already; raises IncludeInvalid."""
    plan = Plan.from_json(execution.plan)
    if plan.pending is None:
        return None
    run.progress(phase="including", message="reading the files that it includes")
    tools.workspaces.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="include-", dir=tools.workspaces) as folder:
        request = CheckoutRequest(
            execution.repository_url,
            branch=execution.branch,
            commit_sha=commit_sha,
            into=Path(folder),
            timeout=SECONDS,
            max_bytes=MOST_BYTES,
            ref=execution.fetch_ref,
            credentials=login,
        )
        with tools.source.reading(request, run.check) as read:
            return _include(plan, read, SHELL_AND_CONTAINERS if tools.containers else SHELL_ONLY)


def _include(plan: Plan, read: ReadFile, executors: frozenset[str]) -> Plan:
    try:
        return include_all(plan, read, executors=executors)
    except DefinitionInvalid as error:
        first, *others = error.faults
        more = f" (and {len(others)} more)" if others else ""
        raise IncludeInvalid(f"{first}{more}", faults=[asdict(fault) for fault in error.faults]) from None
