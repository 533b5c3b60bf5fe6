"""What can be wrong with the images and services of a stage."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from app.pipelines.definition.faults import Faults, child, item
from app.pipelines.definition.variables import check_names

CONTAINER: Final = "container"
NONE_HERE: Final = "needs a container sandbox, which this server does not have"

CheckReferences = Callable[[str, str], None]
"""Checks the `${NAME}`s of a text that stands at a path."""


def check_containers(
    stage: Mapping[str, Any], path: str, faults: Faults, executors: Collection[str], check: CheckReferences
) -> None:
    """Add what is wrong with the images and services of the stage at `path`."""
    images = [(stage, path)]
    images += [(step, item(child(path, "steps"), index)) for index, step in enumerate(stage["steps"])]
    for holder, own in images:
        if "image" in holder:
            _check_image(holder["image"], child(own, "image"), faults, executors, check)
    seen: set[str] = set()
    for index, service in enumerate(stage.get("services") or ()):
        own = item(child(path, "services"), index)
        _check_service(service or {}, own, faults, executors, check)
        name = (service or {}).get("name")
        if name in seen:
            faults.add(child(own, "name"), "is the name of another service of this stage; names must differ")
        elif name is not None:
            seen.add(name)


def _check_service(
    service: Mapping[str, Any], path: str, faults: Faults, executors: Collection[str], check: CheckReferences
) -> None:
    if "image" in service:
        _check_image(service["image"], child(path, "image"), faults, executors, check)
    check_names(service.get("environment", {}), faults, child(path, "environment"))
    for name, value in service.get("environment", {}).items():
        check(value, child(child(path, "environment"), name))
    if service.get("name") == "localhost":
        faults.add(child(path, "name"), "is the step's own machine")


def _check_image(text: str, path: str, faults: Faults, executors: Collection[str], check: CheckReferences) -> None:
    if CONTAINER not in executors:
        faults.add(path, NONE_HERE)
    check(text, path)
