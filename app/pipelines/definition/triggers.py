"""Triggers that could never start anything, which is better said at once than found out months later."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.pipelines.definition.cron import find_cron_fault, find_timezone_fault
from app.pipelines.definition.faults import Faults, child, item

Draft = Mapping[str, Any]

_OF_SCHEDULES: Final = ("cron_expression", "timezone")
_OF_PIPELINES: Final = ("pipeline", "on")


def check_triggers(triggers: Sequence[Draft | None], name: str | None, faults: Faults) -> None:
    """Add what is wrong with the triggers of the pipeline called `name`."""
    for index, trigger in enumerate(triggers):
        if trigger is None or trigger.get("trigger_type") is None:
            continue
        path = child(item("triggers", index), "config")
        config = trigger.get("config") or {}
        kind = trigger["trigger_type"]
        _check_cron(config, path, faults)
        _refuse_others(config, path, kind, faults)
        if kind == "pipeline":
            _check_pipeline(config, path, name, faults)


def _check_cron(config: Draft, path: str, faults: Faults) -> None:
    expression, timezone = config.get("cron_expression"), config.get("timezone")
    if expression is not None and (fault := find_cron_fault(expression)):
        faults.add(child(path, "cron_expression"), fault)
    if timezone is not None and (fault := find_timezone_fault(timezone)):
        faults.add(child(path, "timezone"), fault)


def _refuse_others(config: Draft, path: str, kind: str, faults: Faults) -> None:
    for keys, owner in ((_OF_SCHEDULES, "schedule"), (_OF_PIPELINES, "pipeline")):
        for key in keys:
            if kind != owner and config.get(key):
                faults.add(child(path, key), f"is for triggers of type {owner}, and this one is {kind}")


def _check_pipeline(config: Draft, path: str, name: str | None, faults: Faults) -> None:
    followed = config.get("pipeline")
    if followed is None:
        if not faults.within(child(path, "pipeline")):
            faults.add(child(path, "pipeline"), "is missing: the pipeline whose end starts this one")
    elif followed == name:
        faults.add(child(path, "pipeline"), "is this pipeline itself, which would never end")
