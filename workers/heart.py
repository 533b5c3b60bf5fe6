"""The heart: a thread beside a running job that keeps its lease and watches for what should stop it."""

from __future__ import annotations

import logging
import mmap
import threading
import time
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from app import jobs
from app.jobs import Run
from app.kernel.context import carried
from app.kernel.db import Database
from app.kernel.intents import LostLease

log = logging.getLogger(__name__)

PROVABLE = 0.75


class StopFlag:
    """A moment shared by a worker's main process and its forked children: when the worker was told to stop.

    For `grace` seconds from then on jobs may still end; after that they are handed back.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._memory = mmap.mmap(-1, 8)

    def set(self) -> None:
        """Note that the worker is stopping, as of now."""
        self._memory[:8] = int(time.monotonic() * 1000).to_bytes(8, "big")

    def is_due(self) -> bool:
        """Tell whether the worker is stopping and the time of grace is over."""
        moment = int.from_bytes(self._memory[:8], "big")
        return moment != 0 and time.monotonic() - moment / 1000 >= self._grace


class Heart:
    """Looks every `poll` seconds, and extends the lease every third of it, while the block runs.

    When the database is away for three quarters of a lease the lease can no longer be proved. Work whose policy is
    `kill` is stopped then; work that may `hold` goes on computing, and learns from the next beat whether it was reaped.
    """

    def __init__(
        self, database: Database, run: Run, *, lease: float, poll: float, policy: LostLease, stopping: StopFlag
    ) -> None:
        self._database = database
        self._run = run
        self._lease = lease
        self._poll = poll
        self._policy = policy
        self._stopping = stopping
        self._done = threading.Event()
        self._thread = threading.Thread(target=carried(self._watch), name=f"heart-{run.claim.job_id}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        proved = beaten = time.monotonic()
        while not self._done.wait(self._poll):
            if self._stopping.is_due():
                self._run.shutting_down.set()
            now = time.monotonic()
            try:
                due = now - beaten >= self._lease / 3
                learned = self._beat() if due else self._look()
            except SQLAlchemyError as error:
                log.warning("heartbeat failed", extra={"error": type(error).__name__})
                if self._policy == "kill" and now - proved > self._lease * PROVABLE:
                    self._run.lease_lost.set()
                continue
            if due:
                proved = beaten = now
            self._apply(learned)

    def _beat(self) -> jobs.Beat:
        with self._database.transaction() as session:
            return jobs.beat(session, self._run.claim, self._lease)

    def _look(self) -> jobs.Beat:
        with self._database.transaction() as session:
            return jobs.look(session, self._run.claim)

    def _apply(self, learned: jobs.Beat) -> None:
        if not learned.held and not self._run.settled:
            self._run.lease_lost.set()
        if learned.cancel_requested:
            self._run.cancel_requested.set()
