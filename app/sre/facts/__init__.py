"""What is wrong with a cluster by what it says itself: pure functions over the objects of its inventory and over what
its volumes and processors were used for. Each kind of fact, and what it waits for, is in docs/problems.md.

`find_facts(view)` says all of it; a fact that needs what was not seen lately is not among them (see `KINDS`).
"""

from app.sre.facts.base import CRITICAL, INFO, KINDS, WARNING, Fact, Kind, Thing, View, Workloads
from app.sre.facts.finding import find_facts, looked_at
from app.sre.facts.usage import ProcessorUse, VolumeUse, find_full_volumes, find_throttling

__all__ = [
    "CRITICAL",
    "INFO",
    "KINDS",
    "WARNING",
    "Fact",
    "Kind",
    "ProcessorUse",
    "Thing",
    "View",
    "VolumeUse",
    "Workloads",
    "find_facts",
    "find_full_volumes",
    "find_throttling",
    "looked_at",
]
