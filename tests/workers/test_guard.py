"""The guard: what must end and does not is killed with its process, and nothing else is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import update

from app import jobs
from app.jobs import Claim, Job
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.ids import new_id
from launcher.processes import Birth
from tests.support.platform import wait_for
from tests.support.work import Errand
from workers import guard as guards
from workers.board import Board
from workers.guard import Guard

Start = Callable[[Claim], int]


def claimed(database: Database) -> Claim:
    with database.transaction() as session:
        job_id = jobs.accept(session, Errand(new_id()))
    with database.transaction() as session:
        claim = jobs.claim(session, job_id, "tests:1", 60)
    assert claim is not None
    return claim


def change(database: Database, claim: Claim, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == claim.job_id).values(**values))


def read(database: Database, claim: Claim) -> Job:
    with database.transaction() as session:
        return session.get_one(Job, claim.job_id, populate_existing=True)


def ago(seconds: float) -> Any:
    return database_now() - sql_seconds(seconds)


def is_alive(pid: int) -> bool:
    return Birth.of(pid) is not None


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def start(board: Board) -> Iterator[Start]:
    """Start a pool process that shows a claim and never ends."""
    pids: list[int] = []

    def start(claim: Claim) -> int:
        pid = os.fork()
        if pid == 0:
            board.take(len(pids))
            with board.showing(claim):
                signal.pause()
        pids.append(pid)
        wait_for(lambda: any(one.pid == pid for one in board.shown()))
        return pid

    yield start
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_cancelled_attempt_that_does_not_end_is_killed_and_its_job_is_cancelled(
    database: Database, board: Board, start: Start
) -> None:
    kept, stubborn = claimed(database), claimed(database)
    pids, guard = [start(kept), start(stubborn)], Guard(database, board)
    change(database, stubborn, cancel_requested_at=ago(0.5))
    guard.look()
    assert [is_alive(pid) for pid in pids] == [True, True]
    change(database, stubborn, cancel_requested_at=ago(2.0))
    guard.look()
    assert [is_alive(pid) for pid in pids] == [True, False]
    assert [read(database, one).status for one in (kept, stubborn)] == ["running", "cancelled"]


def test_an_attempt_that_lost_its_job_is_killed_after_a_while_and_nothing_is_written(
    database: Database, board: Board, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(database)
    pid, guard = start(claim), Guard(database, board)
    change(database, claim, attempt=2, cancel_requested_at=ago(60))
    guard.look()
    assert is_alive(pid)
    monkeypatch.setattr(guards, "LOST_SECONDS", 0.0)
    time.sleep(0.01)
    guard.look()
    assert not is_alive(pid)
    assert (read(database, claim).status, read(database, claim).attempt) == ("running", 2)


def test_only_processes_of_its_own_are_killed(database: Database, board: Board, start: Start) -> None:
    claim = claimed(database)
    change(database, claim, cancel_requested_at=ago(60))
    board.take(0)
    with board.showing(claim):
        Guard(database, board).look()
    assert read(database, claim).status == "running"


def test_a_slot_forgets_the_process_that_died_in_it(database: Database, board: Board, start: Start) -> None:
    claim = claimed(database)
    os.kill(start(claim), signal.SIGKILL)
    assert [one.job_id for one in board.shown()] == [claim.job_id]
    board.take(0)
    assert board.shown() == []
