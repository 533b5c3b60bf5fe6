"""A log whose every line carries the hash of the line before: a hole, a double or a disorder breaks the chain."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.pipelines import pipeline, stage, step

LINES = 60
FIRST = "0" * 16
# The step leaves processes behind it, which must not outlive it.
SCRIPT = """
bash -c 'exec -a PROBE sleep 300' & setsid bash -c 'exec -a PROBE sleep 300' &
hash=FIRST
for number in $(seq LINES); do
  line="$number $hash"
  echo "$line"
  hash=$(printf %s "$line" | sha256sum | cut -c1-16)
  sleep 0.02
done
"""


def definition(probe: str) -> dict[str, Any]:
    """Return a pipeline of two stages that both print a chain; `probe` is in the command line of what they leave."""
    script = SCRIPT.replace("PROBE", probe).replace("FIRST", FIRST).replace("LINES", str(LINES))
    return pipeline(stage("work", step("chain", script)), stage("after", step("chain", script), needs=["work"]))


def hash_of(line: str) -> str:
    """Return what the line after `line` carries."""
    return hashlib.sha256(line.encode()).hexdigest()[:16]


def find_breaks(lines: Sequence[Mapping[str, Any]], *, whole: bool) -> list[str]:
    """Return what is wrong with a stored log: its numbers from 1 without a gap, its chain unbroken, `whole` or not."""
    numbers = [line["seq"] for line in lines]
    found = [] if numbers == list(range(1, len(lines) + 1)) else [f"numbers {_around(numbers)}"]
    said = [line["message"] for line in lines if line["stream"] == "stdout"]
    expected = FIRST
    for place, line in enumerate(said, start=1):
        if line != f"{place} {expected}":
            return [*found, f"line {place} is {line!r}, not of the hash {expected}"]
        expected = hash_of(line)
    return [*found, f"{len(said)} of {LINES} lines"] if whole and len(said) != LINES else found


def _around(numbers: Sequence[int]) -> str:
    place = next(index for index, number in enumerate(numbers, start=1) if number != index)
    return f"{list(numbers[max(place - 2, 0) : place + 2])} at {place}"
