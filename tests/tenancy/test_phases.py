"""Phases against a model of the world: whatever fails, dies or is cancelled between any two steps, in the end all of it
is there, or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.kernel.errors import Permanent, Transient
from tasks.phases import PhaseOverdue, Wait, ensure_all, percent_done, undo_all

PENDING, ENSURING, DONE, UNDOING, UNDONE = "pending", "ensuring", "done", "undoing", "undone"
MOST_LOST = 3


class Killed(BaseException):
    """The worker is dead, between two of its steps."""


class Cancelled(Exception):
    """Somebody has cancelled the job."""


class Chance:
    """What happens at each step: what was drawn, and nothing bad any more once that is used up."""

    def __init__(self, drawn: list[str]) -> None:
        self._drawn = iter(drawn)

    def step(self, *possible: str) -> None:
        """Take the next of what was drawn, if it can happen here."""
        what = next(self._drawn, "go on")
        if what not in possible:
            return
        if what == "kill":
            raise Killed
        if what == "cancel":
            raise Cancelled
        raise {"transient": Transient, "permanent": Permanent, "bug": ZeroDivisionError}[what]


@dataclass
class Part:
    """A phase of two things in the world, between which anything may happen."""

    name: str
    world: set[str]
    chance: Chance
    waits: int = 0

    def ensure(self) -> Wait | None:
        for half in "ab":
            self.chance.step("kill", "transient", "permanent", "bug", "cancel")
            self.world.add(self.name + half)
        if self.waits:
            self.waits -= 1
            return Wait("the other side")
        return None

    def undo(self) -> Wait | None:
        for half in "ba":
            self.chance.step("kill", "transient", "permanent", "bug")
            self.world.discard(self.name + half)
        return None


@dataclass
class Memory:
    """A ledger that a kill can come before and after each write of."""

    chance: Chance
    statuses: list[str]
    overdue: bool = False
    written: list[tuple[int, str]] = field(default_factory=list)

    def next_open(self) -> int:
        return next((place for place, one in enumerate(self.statuses) if one != DONE), len(self.statuses))

    def begin(self, place: int) -> None:
        self._write(place, ENSURING)

    def finish(self, place: int) -> None:
        self.chance.step("kill")
        self.statuses[place] = DONE
        if place + 1 < len(self.statuses):
            self.statuses[place + 1] = ENSURING
        self.chance.step("kill")

    def last_begun(self) -> int | None:
        begun = [place for place, one in enumerate(self.statuses) if one in (ENSURING, DONE, UNDOING)]
        return begun[-1] if begun else None

    def begin_undo(self, place: int) -> None:
        self._write(place, UNDOING)

    def finish_undo(self, place: int) -> None:
        self._write(place, UNDONE)

    def is_overdue(self, place: int) -> bool:
        return self.overdue

    def _write(self, place: int, status: str) -> None:
        self.chance.step("kill")
        self.statuses[place] = status
        self.written.append((place, status))
        self.chance.step("kill")


class Job:
    """An operation as its job and the job of its undo drive it: a turn is lost, waits, or is the last."""

    def __init__(self, size: int, drawn: list[str], waits: int) -> None:
        self.world: set[str] = set()
        self.chance = Chance(drawn)
        self.parts = [Part(str(place), self.world, self.chance, waits) for place in range(size)]
        self.ledger = Memory(self.chance, [PENDING] * size)
        self.status = "running"
        self.lost = 0

    def run(self) -> None:
        for _ in range(1000):
            if self.status in ("succeeded", "failed"):
                return
            self._turn()
        raise AssertionError("it does not end")

    def _turn(self) -> None:
        try:
            self._make() if self.status == "running" else self._take_back()
        except (Killed, ZeroDivisionError):
            self.lost += 1
            if self.status == "running" and self.lost > MOST_LOST:
                self.status = "undoing"

    def _make(self) -> None:
        try:
            waiting = ensure_all(self.parts, self.ledger)
            self.chance.step("kill", "cancel")
        except (Permanent, Cancelled):
            self.status = "undoing"
            return
        if waiting is None:
            self.status = "succeeded"

    def _take_back(self) -> None:
        waiting = undo_all(self.parts, self.ledger)
        self.chance.step("kill")
        if waiting is None:
            self.status = "failed"


@settings(max_examples=400, deadline=None)
@given(
    size=st.integers(1, 5),
    waits=st.integers(0, 2),
    drawn=st.lists(
        st.sampled_from(["go on"] * 6 + ["kill", "kill", "transient", "permanent", "bug", "cancel"]), max_size=60
    ),
)
def test_whatever_happens_between_any_two_steps_all_of_it_is_there_or_nothing(
    size: int, waits: int, drawn: list[str]
) -> None:
    job = Job(size, drawn, waits)
    job.run()
    if job.status == "succeeded":
        assert job.world == {f"{place}{half}" for place in range(size) for half in "ab"}
        assert set(job.ledger.statuses) == {DONE}
    else:
        assert job.world == set()
        assert set(job.ledger.statuses) <= {PENDING, UNDONE}


def test_without_trouble_the_phases_are_made_in_order_and_each_is_written_before_it_is_made() -> None:
    job = Job(3, [], 0)
    job.run()
    assert (job.status, job.ledger.written) == ("succeeded", [(0, ENSURING)])
    assert job.ledger.statuses == [DONE] * 3


def test_a_worker_that_comes_after_begins_where_the_one_before_stopped() -> None:
    job = Job(3, [], 0)
    job.ledger.statuses = [DONE, ENSURING, PENDING]
    job.run()
    assert job.world == {"1a", "1b", "2a", "2b"}


def test_what_was_made_is_taken_back_the_last_first() -> None:
    job = Job(3, [], 0)
    job.status, job.ledger.statuses = "undoing", [DONE, ENSURING, PENDING]
    job.run()
    assert [place for place, status in job.ledger.written if status == UNDONE] == [1, 0]
    assert job.ledger.statuses == [UNDONE, UNDONE, PENDING]


def test_a_phase_that_waits_too_long_has_failed_and_says_for_what() -> None:
    job = Job(1, [], 9)
    job.ledger.overdue = True
    with pytest.raises(PhaseOverdue, match="the other side"):
        ensure_all(job.parts, job.ledger)


def test_an_undo_never_gives_up() -> None:
    job = Job(1, [], 0)
    job.ledger.statuses, job.ledger.overdue = [DONE], True
    job.chance = job.parts[0].chance = Chance(["permanent"])
    assert undo_all(job.parts, job.ledger) == Wait("The work failed for a reason that stays.")
    assert undo_all(job.parts, job.ledger) is None


def test_the_percent_goes_by_the_shares() -> None:
    assert [percent_done([10, 30, 60], done) for done in range(4)] == [0.0, 10.0, 40.0, 100.0]
