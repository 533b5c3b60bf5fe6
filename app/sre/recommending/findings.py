"""Findings: what should be done about something and why, and whether that is still so."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

RIGHTSIZING: Final = "rightsizing"
SCALING: Final = "scaling"
MISSING_PROBES: Final = "missing_probes"
MISSING_LIMITS: Final = "missing_limits"
UNUSED: Final = "unused_workload"
CERTIFICATE: Final = "expiring_certificate"
KINDS: Final = (RIGHTSIZING, SCALING, MISSING_PROBES, MISSING_LIMITS, UNUSED, CERTIFICATE)

HIGH: Final = "high"
MEDIUM: Final = "medium"
LOW: Final = "low"
PRIORITIES: Final = (HIGH, MEDIUM, LOW)

SAME: Final = 1.25
"""Figures that differ by less than this factor say the same."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about. What lies in no namespace has an empty one; `container` is empty where it is all of the
    object."""

    kind: str
    namespace: str
    name: str
    container: str = ""

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}" + (f", container {self.container}" if self.container else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should be done.

    `formula` says how its figures come about, `evidence` of what. `facts` are what authors have said (who applies it
    finds them unchanged), `figures` what was measured or worked out: both tell whether the evidence is another. `patch`
    is a change of the object by strategic merge, None where there is nothing that can be applied.
    """

    kind: str
    about: Subject
    priority: str
    title: str
    formula: str
    evidence: Mapping[str, Any]
    confidence: float
    effect: Mapping[str, Any]
    command: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    patch: Mapping[str, Any] | None = None

    @property
    def basis(self) -> dict[str, Any]:
        """What it rests on, as JSON."""
        return {"facts": dict(self.facts), "figures": dict(self.figures)}


def has_changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Tell whether a finding rests on something else than before: another author's word, or a figure that is another by
    a quarter of it."""
    if before.get("facts") != now.get("facts"):
        return True
    known, figures = before.get("figures") or {}, now.get("figures") or {}
    return known.keys() != figures.keys() or any(_differ(known[name], value) for name, value in figures.items())


def _differ(before: float, now: float) -> bool:
    low, high = sorted((abs(before), abs(now)))
    return before != now and (before * now <= 0 or high > low * SAME)


def agrees(said: Any, found: Any) -> bool:
    """Tell whether what an object says is what was found there; what it leaves out a cluster may have added."""
    if isinstance(said, Mapping) and isinstance(found, Mapping):
        return all(name in found and agrees(value, found[name]) for name, value in said.items())
    return bool(said == found)


def write_command(about: Subject, patch: Mapping[str, Any]) -> str:
    """Return what does the same as applying a patch. Names are a cluster's words: they are quoted for a shell, and none
    stands where it could be taken for an option."""
    said = json.dumps(patch, separators=(",", ":"))
    words = ["kubectl", f"--namespace={about.namespace}", "patch", f"{about.kind.lower()}/{about.name}"]
    return shlex.join([*words, "--type=strategic", f"--patch={said}"])


def patch_container(name: str, **fields: Any) -> dict[str, Any]:
    """Return the patch of a workload that changes fields of one container of its pods."""
    return {"spec": {"template": {"spec": {"containers": [{"name": name, **fields}]}}}}
