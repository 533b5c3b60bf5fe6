"""Includes: stages that lie in other files of the repository, read once a run knows its commit.

Each file is read like a definition of its own; then all stages together have to make a graph. Whoever may push to the
repository writes these files, so depth, number and size are bounded, and each fault names its file.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.pipelines.definition.checks import check_plan
from app.pipelines.definition.codec import to_plain
from app.pipelines.definition.faults import DefinitionInvalid, Faults, child, item, shorten
from app.pipelines.definition.forms import suggest
from app.pipelines.definition.graph import find_cycles
from app.pipelines.definition.language import MAX_STAGES
from app.pipelines.definition.model import Definition, Stage
from app.pipelines.definition.plan import Included, Plan, complete_plan
from app.pipelines.definition.reading import SHELL_AND_CONTAINERS, read_part

MAX_FILES: Final = 20
MAX_DEPTH: Final = 5
MAX_BYTES: Final = 1024 * 1024

ReadFile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file says; of the definition itself, whose faults have no lines here, `path` is None."""

    path: str | None
    definition: Definition
    faults: Faults

    def places(self) -> Iterator[tuple["_Part", int, Stage]]:
        return ((self, index, stage) for index, stage in enumerate(self.definition.stages))


def include_all(plan: Plan, read: ReadFile, *, executors: frozenset[str] = SHELL_AND_CONTAINERS) -> Plan:
    """The plan with the stages of the files that it includes, each of which `read` gives by its path.

    Raises DefinitionInvalid, whose faults name their files, and what `read` raises.
    """
    own = Definition.from_json(plan.pending or {})
    reader = _Reader(own, read, executors)
    reader.follow(own.include or (), Faults(), depth=1)
    parts = [*reader.parts.values(), _Part(None, own, Faults())]
    _check_together(parts)
    merged = replace(own, stages=tuple(stage for part in parts for stage in part.definition.stages))
    faults = Faults()
    check_plan(merged, faults)
    if faults:
        raise faults.invalid()
    return complete_plan(plan, merged, tuple(reader.included))


class _Reader:
    """Reads files in the order in which they are included, each once."""

    def __init__(self, own: Definition, read: ReadFile, executors: frozenset[str]) -> None:
        self.parts: dict[str, _Part] = {}
        self.included: list[Included] = []
        self._environment = dict(own.environment)
        self._read = read
        self._executors = executors
        self._bytes = 0

    def follow(self, paths: tuple[str, ...], faults: Faults, *, depth: int) -> None:
        for index, path in enumerate(paths):
            if path in self.parts:
                continue
            self._refuse_many(faults.first_known(item("include", index), "include"), faults, depth)
            self.follow(*self._take(path), depth=depth + 1)

    def _refuse_many(self, at: str, faults: Faults, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise faults.stop(at, f"is included at depth {depth}; at most {MAX_DEPTH} are allowed", faults.place_of(at))
        if len(self.parts) >= MAX_FILES:
            raise faults.stop(at, f"is one file too many; at most {MAX_FILES} are allowed", faults.place_of(at))

    def _take(self, path: str) -> tuple[tuple[str, ...], Faults]:
        text = self._read(path)
        self._bytes += len(text)
        faults = Faults(path)
        if self._bytes > MAX_BYTES:
            raise faults.stop("", f"makes the included files larger than {MAX_BYTES} bytes")
        definition = read_part(text, faults, self._environment, self._executors)
        self.parts[path] = _Part(path, definition, faults)
        self.included.append(Included(path, hashlib.sha256(text).hexdigest()))
        return definition.include or (), faults


def _check_together(parts: list[_Part]) -> None:
    """Refuse stages that do not fit together; raises DefinitionInvalid."""
    stages = [place for part in parts for place in part.places()]
    if len(stages) > MAX_STAGES:
        raise parts[-1].faults.stop("include", f"makes {len(stages)} stages; at most {MAX_STAGES} are allowed")
    first: dict[str, tuple[_Part, int]] = {}
    for part, index, stage in stages:
        before = first.setdefault(stage.name, (part, index))
        if before != (part, index):
            message = f"is the name of a stage of {before[0].path or 'the definition'} too; names must differ"
            part.faults.add(child(item("stages", index), "name"), message)
    for part, index, stage in stages:
        _check_needs(part, index, stage, first)
    for cycle in find_cycles([to_plain(stage) for _, _, stage in stages], dict.fromkeys(first, 0)):
        part, index = first[cycle[0]]
        part.faults.add(child(item("stages", index), "depends_on"), f"makes a cycle: {' -> '.join(cycle)}")
    found = [fault for part in parts for fault in part.faults.found()]
    if found:
        raise DefinitionInvalid(found)


def _check_needs(part: _Part, index: int, stage: Stage, known: Mapping[str, Any]) -> None:
    written = child(item("stages", index), "depends_on")
    for place, name in enumerate(stage.depends_on):
        if name not in known:
            part.faults.add(item(written, place), f"there is no stage {shorten(name)}{suggest(name, dict(known))}")
