"""All facts of a cluster at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from app.sre.facts.base import KINDS, Fact, View
from app.sre.facts.limits import find_certificate_facts, find_quota_facts
from app.sre.facts.nodes import find_node_facts
from app.sre.facts.pods import find_pod_facts
from app.sre.facts.workloads import find_autoscaler_facts, find_job_facts, find_rollout_facts

FINDERS: Final[tuple[Callable[[View], Iterator[Fact]], ...]] = (
    find_node_facts,
    find_pod_facts,
    find_rollout_facts,
    find_autoscaler_facts,
    find_job_facts,
    find_quota_facts,
    find_certificate_facts,
)


def find_facts(view: View, seen: Collection[str]) -> list[Fact]:
    """Return what is wrong, by the kinds of objects that were seen lately."""
    kinds = looked_at(seen)
    return [fact for find in FINDERS for fact in find(view) if fact.kind in kinds]


def looked_at(seen: Collection[str]) -> frozenset[str]:
    """Return the kinds of facts that can be told by what was seen; of the others nobody knows whether they hold."""
    return frozenset(kind for kind, one in KINDS.items() if one.needs in seen)
