"""A run from start to verdicts: load and faults beside each other, then calm, then the checks."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker import Checker, Verdict
from tests.faults.ground import Ground, commands
from tests.faults.injectors import INJECTORS, Ending
from tests.faults.load import Load, make_pipeline, make_wishes
from tests.faults.room.kinds import LONG, PIPELINE
from tests.faults.schedule import Schedule, make_schedule
from tests.support.callers import Listener, User
from tests.support.repositories import Repository

TICK = 0.05
MOST_LISTENERS = 12
# A claim of an Idempotency-Key lapses after a minute, a lease after less.
ANSWER_SECONDS = 120.0
SETTLE_SECONDS = 150.0


@dataclass(frozen=True)
class Plan:
    """What to run. `spacing` is the mean time between faults, `long_seconds` how long the long sleepers sleep."""

    jobs: int
    kills: int
    seed: int
    spacing: float = 2.5
    long_seconds: float = 30.0


@dataclass
class Outcome:
    """What was seen. Moments are of `time.time()`."""

    plan: Plan
    schedule: Schedule
    load: Load
    calm_at: float
    settled_after: float | None
    checker: Checker
    deaths: dict[str, int]
    resent: int
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every check held."""
        return all(not verdict.faults for verdict in self.verdicts)


def run(plan: Plan, folder: Path, say: Callable[[str], None] = print) -> Outcome:
    """Run a plan in an empty folder. Belongs to the main thread."""
    schedule = make_schedule(plan.seed, plan.kills, plan.spacing)
    probe = f"probe-faults-{time.time_ns():x}"
    repository = Repository(folder / "shop")
    repository.commit({"README.md": "A shop.\n"}, "Open the shop")
    with Ground.opened(folder, commands(schedule.skew)) as ground:
        user = User.registered(ground.platform.base, "alice")
        pipeline_id = make_pipeline(user, repository.url, probe)
        wishes = make_wishes(plan.seed, plan.jobs, plan.long_seconds)
        load = Load(user, pipeline_id, wishes, schedule.seconds)
        listeners = _endure(ground, schedule, load, user, say)
        calm_at = time.time()
        answered = load.join(ANSWER_SECONDS)
        checker = Checker(ground, user, load, listeners, probe)
        settled_after = checker.settle(SETTLE_SECONDS + plan.long_seconds)
        verdicts = [Verdict("every POST answered", len(wishes), [] if answered else ["some never were"])]
        verdicts += checker.verdicts()
        resent = ground.platform.log("relay").count("sending hints again")
    verdicts.append(checker.left_behind())
    return Outcome(plan, schedule, load, calm_at, settled_after, checker, dict(ground.deaths), resent, verdicts)


def _endure(
    ground: Ground, schedule: Schedule, load: Load, user: User, say: Callable[[str], None]
) -> dict[str, Listener]:
    """Let every fault happen at its time, and end; returns those who listen to some of the jobs."""
    listeners: dict[str, Listener] = {}
    due: list[tuple[float, int, Ending]] = []
    order = itertools.count()
    load.start()
    began = time.monotonic()
    for fault in schedule.faults:
        _wait(ground, due, began + fault.at)
        say(f"{time.monotonic() - began:7.1f} s  {fault.kind}: {fault.target}")
        ending = INJECTORS[fault.kind](ground, fault)
        if ending:
            heapq.heappush(due, (began + fault.at + fault.seconds, next(order), ending))
        _listen(load, user, listeners)
    _wait(ground, due, began + schedule.seconds)
    for _, _, ending in due:
        ending()
    ground.heal()
    _listen(load, user, listeners)
    return listeners


def _wait(ground: Ground, due: list[tuple[float, int, Ending]], until: float) -> None:
    while True:
        while due and due[0][0] <= time.monotonic():
            heapq.heappop(due)[2]()
        ground.tick()
        if time.monotonic() >= until:
            return
        time.sleep(TICK)


def _listen(load: Load, user: User, listeners: dict[str, Listener]) -> None:
    for promise in list(load.promises):
        lasting = promise.wish.kind in (LONG, PIPELINE, "sleep")
        if lasting and promise.job_id not in listeners and len(listeners) < MOST_LISTENERS:
            listeners[promise.job_id] = Listener(user, f"/jobs/{promise.job_id}/events")
