"""Which executions a caller may see, and the filters of their lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select

from app.kernel.principal import Principal
from app.kernel.visibility import visible
from app.pipelines.models import Execution

EQUAL = ("status", "branch", "trigger", "pipeline_id", "workspace_id")


def visible_executions(caller: Principal) -> Select[Execution]:
    """Select the executions of the places in which the caller may read them."""
    return select(Execution).where(
        visible(caller, "executions:read", Execution.organization_id, Execution.workspace_id)
    )


def filter_executions(executions: Select[Execution], filters: Mapping[str, Any]) -> Select[Execution]:
    """Apply the filters of a list of executions."""
    for name in EQUAL:
        if name in filters:
            executions = executions.where(getattr(Execution, name) == filters[name])
    return executions
