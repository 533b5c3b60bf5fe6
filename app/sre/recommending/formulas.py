"""How much a container should ask for: the formulas of KRR's simple strategy (github.com/robusta-dev/krr, d6baa74,
`strategies/simple.py`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from app.sre.recommending.usage import Floats, PodUse, span_of

PERCENTILE: Final = 0.95
BUFFER: Final = 1.15
KILLED_BUFFER: Final = 1.25
LEAST_POINTS: Final = 100
LEAST_SPAN: Final = 3 * 3600.0
LEAST_CPU: Final = 0.010
LEAST_MEMORY: Final = 100e6
MEBI: Final = 2**20

CRITICAL: Final = "critical"
WARNING: Final = "warning"
OK: Final = "ok"
GOOD: Final = "good"
SEVERITIES: Final = (GOOD, OK, WARNING, CRITICAL)
# In processors, and in bytes.
_BOUNDS: Final = {
    "cpu": ((0.5, CRITICAL), (0.25, WARNING), (0.1, OK)),
    "memory": ((500 * MEBI, CRITICAL), (250 * MEBI, WARNING), (100 * MEBI, OK)),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a container should have: processors and bytes to ask for, None where there is no telling. Memory is limited
    to what is asked for, processors are not limited."""

    cpu: float | None
    memory: float | None


def is_enough(uses: Sequence[PodUse], counts: Iterable[int]) -> bool:
    """Tell whether there is enough to go by."""
    return sum(counts) >= LEAST_POINTS and span_of(uses) >= LEAST_SPAN


def size_of(uses: Sequence[PodUse], killed_at: float | None) -> Sizes:
    """Return what a container should have by what its pods have used; `killed_at` is the limit at which one of them was
    killed for it."""
    cpu = [one.cpu for one in uses if len(one.cpu)]
    memory = [one.memory for one in uses if len(one.memory)]
    return Sizes(
        request_cpu(cpu) if is_enough(uses, map(len, cpu)) else None,
        request_memory(memory, killed_at) if is_enough(uses, map(len, memory)) else None,
    )


def request_cpu(pods: Sequence[Floats]) -> float:
    """Return the greatest of the pods' 95th percentiles, in whole thousandths of a processor, 10 at least."""
    most = max(float(np.quantile(one, PERCENTILE)) for one in pods)
    # What floats add to a number that is whole must not make it one more.
    return max(LEAST_CPU, math.ceil(round(most * 1000, 6)) / 1000)


def request_memory(pods: Sequence[Floats], killed_at: float | None) -> float:
    """Return the most that any pod has used and 15 % more, in bytes of whole mebibytes, 100 MB at least; where one was
    killed at its limit, that and 25 % more at least."""
    most = max(float(one.max()) for one in pods) * BUFFER
    if killed_at is not None:
        most = max(most, killed_at * KILLED_BUFFER)
    return float(math.ceil(round(max(most, LEAST_MEMORY) / MEBI, 6)) * MEBI)


def judge_difference(resource: str, current: float | None, wanted: float | None) -> str:
    """Return how far what is asked for is from what should be; what is missing is worth a warning."""
    if wanted is None:
        return GOOD
    if current is None:
        return WARNING
    # Thousandths of a processor are no exact floats.
    difference = round(abs(current - wanted), 6)
    return next((severity for bound, severity in _BOUNDS[resource] if difference >= bound), GOOD)


def worst_of(severities: Iterable[str]) -> str:
    """Return the worst of some severities."""
    return max(severities, key=SEVERITIES.index, default=GOOD)
