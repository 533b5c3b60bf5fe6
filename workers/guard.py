"""The guard: a thread of the worker itself that kills a pool process whose attempt must end and does not.

A deed that computes in native code may hold the interpreter, so that its own heart stands still, or simply never ask
whether it should stop. Nothing inside its process helps then.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from app import jobs
from app.jobs import LeaseLost, Standing
from app.kernel.db import Database
from app.kernel.intents import INTENTS, Intent
from workers.board import Board, Shown

log = logging.getLogger(__name__)

PERIOD = 0.2
# Of work whose job is another's by now nothing is awaited any more; it may take its time to put things away.
LOST_SECONDS = 10.0
DEATH_SECONDS = 2.0


class Guard(threading.Thread):
    """Looks five times a second, and asks the database only while something runs."""

    def __init__(self, database: Database, board: Board) -> None:
        super().__init__(name="guard", daemon=True)
        self._database = database
        self._board = board
        self._lost_since: dict[Shown, float] = {}

    def run(self) -> None:
        """Look for as long as the worker lives; a database that is away is waited for."""
        while True:
            time.sleep(PERIOD)
            try:
                self.look()
            except SQLAlchemyError as error:
                log.warning("the database is away", extra={"error": type(error).__name__})
            except Exception:
                log.exception("the guard failed at a look")

    def look(self) -> None:
        """Judge every attempt that is shown, once."""
        shown = self._board.shown()
        if not shown:
            self._lost_since.clear()
            return
        with self._database.transaction() as session:
            standings = jobs.find_standings(session, [one.job_id for one in shown])
        self._note_lost(shown, standings)
        for one in shown:
            if self._is_overdue(one, standings.get(one.job_id)):
                self._end(one)

    def _note_lost(self, shown: list[Shown], standings: Mapping[UUID, Standing]) -> None:
        now = time.monotonic()
        lost = [one for one in shown if not _is_held(one, standings.get(one.job_id))]
        self._lost_since = {one: self._lost_since.get(one, now) for one in lost}

    def _is_overdue(self, one: Shown, standing: Standing | None) -> bool:
        if one in self._lost_since:
            return time.monotonic() - self._lost_since[one] > LOST_SECONDS
        if standing is None or standing.cancelling_for is None:
            return False
        return standing.cancelling_for > INTENTS.get(standing.kind, Intent).cancel_seconds

    def _end(self, one: Shown) -> None:
        if one not in self._board.shown() or not _is_my_child(one.pid):
            return
        log.warning("killing work that does not end", extra={"job_id": one.job_id, "attempt": one.attempt})
        os.kill(one.pid, signal.SIGKILL)
        deadline = time.monotonic() + DEATH_SECONDS
        while _is_my_child(one.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        if one not in self._lost_since:
            self._bury(one)

    def _bury(self, one: Shown) -> None:
        try:
            with self._database.transaction() as session:
                jobs.end_killed(session, one.job_id, one.attempt)
        except LeaseLost:
            log.info("it had ended after all", extra={"job_id": one.job_id, "attempt": one.attempt})


def _is_held(one: Shown, standing: Standing | None) -> bool:
    return standing is not None and standing.is_running and standing.attempt == one.attempt


def _is_my_child(pid: int) -> bool:
    """Whether a living process of this id is a child of this one."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return False
    return int(parent) == os.getpid() and state not in "ZX"
