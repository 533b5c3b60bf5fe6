"""A sweep: for a little more than a minute, all that is due is delivered as it becomes due. The next sweep begins
before this one ends, so that there is always one.

Two lanes, so that the dead cost the living nothing: endpoints whose last attempt succeeded, and those whose last
attempt failed. Outcomes are written, and more is taken, by this thread alone.
"""

from __future__ import annotations

import time
from datetime import timedelta
from queue import Empty, SimpleQueue
from typing import Any, Final

from sqlalchemy import select

from app.jobs import Job, Run
from app.kernel.clock import database_now
from app.webhooks import Answer, record, take_due
from tasks.patience import patiently
from tasks.tools import Tools
from tasks.webhooks.gateways import Receivers
from tasks.webhooks.lanes import Lane

SWEEP_SECONDS: Final = 75.0
TOO_LATE: Final = timedelta(seconds=90)
LOOK_SECONDS: Final = 0.2
MOST_AT_ONCE: Final = 500
# Threads, and how many of them may begin within a moment.
WELL: Final = (600, 64)
SUSPECTS: Final = (128, 32)
# Beyond a request's own time, for the record of its outcome.
LEASE_MARGIN: Final = 15.0


def sweep(run: Run, tools: Tools, seconds: float = SWEEP_SECONDS) -> dict[str, Any]:
    """Deliver for so many seconds and say how many attempts were made, and how many of them succeeded.

    One that comes late does nothing: others have come since.
    """
    with run.reading() as session:
        late = session.scalar(select(database_now() - Job.scheduled_for).where(Job.id == run.claim.job_id))
    if late is not None and late > TOO_LATE:
        return {"late": True}
    return _Sweep(run, tools).work(seconds)


class _Sweep:
    def __init__(self, run: Run, tools: Tools) -> None:
        self._run = run
        self._tools = tools
        self._patience = tools.webhooks.patience
        self._lease = self._patience.timeout + LEASE_MARGIN
        self._receivers = Receivers(tools.webhooks.destinations, self._patience.timeout)
        self._done: SimpleQueue[Answer | None] = SimpleQueue()
        self._well = Lane(*WELL, self._receivers.send, self._done)
        self._suspects = Lane(*SUSPECTS, self._receivers.send, self._done)
        self._told = {"attempts": 0, "succeeded": 0}

    def work(self, seconds: float) -> dict[str, Any]:
        """Go on for so many seconds, then end what was begun."""
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends and not self._run.should_stop():
                self._turn(is_last=False)
            while self._well.busy + self._suspects.busy and not self._run.lease_lost.is_set():
                self._turn(is_last=True)
            self._turn(is_last=True)
        finally:
            for part in (self._well, self._suspects, self._receivers):
                part.close()
        self._run.check()
        return dict(self._told)

    def _turn(self, *, is_last: bool) -> None:
        """Wait a moment for outcomes, write them, and take what is due."""
        answers = self._collect()
        if answers or not is_last:
            patiently(self._run, lambda: self._exchange(answers, is_last=is_last))

    def _exchange(self, answers: list[Answer], *, is_last: bool) -> None:
        with self._run.adding() as session:
            record(session, answers, self._patience)
            taken = [] if is_last else [(lane, self._take(session, lane)) for lane in (self._well, self._suspects)]
        for lane, orders in taken:
            lane.begin(orders)
        self._told["attempts"] += len(answers)
        self._told["succeeded"] += sum(answer.is_success for answer in answers)

    def _take(self, session: Any, lane: Lane) -> Any:
        free = lane.free
        if not free:
            return []
        return take_due(session, self._tools.vault, free, self._lease, suspects=lane is self._suspects)

    def _collect(self) -> list[Answer]:
        """Return what has come in; waits until something has, but not long."""
        found: list[Answer | None] = []
        try:
            found.append(self._done.get(timeout=LOOK_SECONDS))
            while len(found) < MOST_AT_ONCE:
                found.append(self._done.get_nowait())
        except Empty:
            pass
        return [answer for answer in found if answer is not None]
