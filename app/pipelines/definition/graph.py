"""The graph of stages: what each depends on, and the refusal of one that cannot be run in any order."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.pipelines.definition.faults import Faults, child, item, shorten
from app.pipelines.definition.forms import suggest

Stages = Sequence[Mapping[str, Any]]


def check_graph(stages: Stages, path: str, faults: Faults, *, is_part: bool = False) -> None:
    """Add each unknown, repeated or own name in `depends_on`, and each cycle; in a part, others have further stages."""
    known = {stage["name"]: index for index, stage in enumerate(stages) if "name" in stage}
    for index, stage in enumerate(stages):
        written = child(item(path, index), "depends_on")
        if faults.knows(written):
            _check_names(stage, known, written, faults, is_part=is_part)
    for cycle in find_cycles(stages, known):
        first = item(path, known[cycle[0]])
        written = child(first, "depends_on")
        faults.add(written if faults.knows(written) else first, f"makes a cycle: {' -> '.join(cycle)}")


def _check_names(stage: Mapping[str, Any], known: dict[str, int], path: str, faults: Faults, *, is_part: bool) -> None:
    seen: set[str] = set()
    for place, name in enumerate(stage.get("depends_on") or ()):
        if name is None:
            continue
        if name == stage.get("name"):
            faults.add(item(path, place), "is the stage itself")
        elif name not in known and not is_part:
            faults.add(item(path, place), f"there is no stage {shorten(name)}{suggest(name, known)}")
        elif name in seen:
            faults.add(item(path, place), f"names {shorten(name)} twice")
        seen.add(name)


def find_cycles(stages: Stages, known: Mapping[str, int]) -> list[list[str]]:
    """One cycle, as `a, b, a`, for each stage at which a walk in the order of the text comes back to itself."""
    needs = {
        stage["name"]: [name for name in stage.get("depends_on") or () if name in known and name != stage["name"]]
        for stage in stages
        if "name" in stage
    }
    done: set[str] = set()
    cycles: list[list[str]] = []
    for name in needs:
        _walk(name, needs, [], done, cycles)
    return cycles


def _walk(name: str, needs: dict[str, list[str]], way: list[str], done: set[str], cycles: list[list[str]]) -> None:
    if name in way:
        cycles.append([*way[way.index(name) :], name])
    elif name not in done:
        for needed in needs[name]:
            _walk(needed, needs, [*way, name], done, cycles)
        done.add(name)
