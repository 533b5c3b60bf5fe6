"""What the API tells of jobs, read over and over until it answers."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import quote

from tests.support.callers import FINAL, Caller, Heard, Reply

READERS = 4
SECONDS = 60.0
MOST_LISTED = 1000

Given = TypeVar("Given")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Life:
    """The events of one job as its stream has them: type, number and what was said."""

    events: tuple[tuple[str, str, dict[str, Any]], ...]

    def faults(self) -> list[str]:
        """Return what is wrong with it as the life of a job that has ended."""
        return [*self._numbering(), *self._ending(), *self._order()]

    def _numbering(self) -> list[str]:
        numbers = [number for number, _, _ in self.events]
        return [] if numbers == [str(place) for place in range(1, len(numbers) + 1)] else [f"numbered {numbers[-3:]}"]

    def _ending(self) -> list[str]:
        ends = [place for place, (_, type_, _) in enumerate(self.events) if type_.removeprefix("job.") in FINAL]
        return [] if ends == [len(self.events) - 1] else [f"final events at {ends} of {len(self.events)}"]

    def _order(self) -> list[str]:
        told = [(said["attempt"], said["progress"]["percent"]) for _, _, said in self.events]
        faults = (
            ["an earlier attempt spoke later"] if [one for one, _ in told] != sorted(one for one, _ in told) else []
        )
        falls = [(before, after) for before, after in pairwise(told) if before[0] == after[0] and before[1] > after[1]]
        return faults + [f"percent fell {before} {after}" for before, after in falls]

    @property
    def attempts(self) -> int:
        """How often it was started."""
        return sum(type_ == "job.running" for _, type_, _ in self.events)

    def returned(self, why: str) -> int:
        """Count how often it went back to its queue for a reason."""
        return sum(
            type_ == "job.queued" and why in (said["progress"]["message"] or "") for _, type_, said in self.events
        )


def get(caller: Caller, path: str, **headers: str) -> Reply:
    """GET a path until it is answered by something else than a platform that is just coming back."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            reply = caller.get(path, **headers)
            if reply.status < 500 or time.monotonic() > deadline:
                return reply
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)


def pages(caller: Caller, path: str) -> Iterator[dict[str, Any]]:
    """Yield all rows of a list."""
    joint = "&" if "?" in path else "?"
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={quote(cursor)}" if cursor else ""
        body = get(caller, f"{path}{joint}limit=100{more}").json
        yield from body["data"]
        cursor = body["meta"]["pagination"].get("next_cursor")


def life_of(caller: Caller, job_id: str) -> Life:
    """Read the whole stream of a job that has ended."""
    listed = get(caller, f"/jobs/{job_id}/events", Accept="application/json").data()
    if len(listed) < MOST_LISTED:
        return Life(tuple((event["id"], event["type"], event["data"]) for event in listed))
    return heard_life(list(caller.stream(f"/jobs/{job_id}/events")))


def heard_life(heard: list[Heard]) -> Life:
    """Return a life as a listener heard it."""
    return Life(tuple((event.id, event.type, event.data["data"]) for event in heard if event.type != "end"))


def together(read: Any, given: list[Any]) -> list[Any]:
    """Call `read` for each of the given, some at a time."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, given))
