"""The runtime at the moment of an end: an outage of the database costs neither the work nor the truth."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job
from app.kernel.db import Database
from app.kernel.engine import make_engine
from app.kernel.ids import new_id
from launcher.ports import free_port
from tests.support.work import Errand, doing, make_runtime
from workers import runtime as runtimes


@pytest.fixture
def job_id(committing: Database) -> UUID:
    with committing.transaction() as session:
        return jobs.accept(session, Errand(new_id()))


@pytest.fixture
def away(committing: Database) -> Iterator[Callable[[float | None], None]]:
    """Take the database away, and give it back some seconds later."""
    engine, nowhere = committing.bind, make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    assert isinstance(engine, Engine)

    def give_back() -> None:
        committing.bind = engine

    def take(seconds: float | None) -> None:
        committing.bind = nowhere
        if seconds is not None:
            threading.Timer(seconds, give_back).start()

    yield take
    give_back()
    nowhere.dispose()


def read(database: Database, job_id: UUID) -> Job:
    with database.transaction() as session:
        return session.get_one(Job, job_id)


def lost() -> OperationalError:
    return OperationalError("COMMIT", {}, Exception("the connection is lost"), connection_invalidated=True)


def test_work_whose_database_is_away_at_its_end_is_not_done_again(
    committing: Database, job_id: UUID, away: Callable[[float | None], None]
) -> None:
    done: list[int] = []

    def deed(run: Any, *_: Any) -> dict[str, Any]:
        done.append(run.attempt)
        away(1.0)
        return {"did": "it"}

    with doing(deed):
        assert make_runtime(committing).run_job(job_id)
    job = read(committing, job_id)
    assert (job.status, job.attempt, job.result, done) == ("succeeded", 1, {"did": "it"}, [1])


def test_progress_that_cannot_be_told_does_not_fail_the_work(
    committing: Database, job_id: UUID, away: Callable[[float | None], None]
) -> None:
    def deed(run: Any, *_: Any) -> None:
        run.progress(10, message="before")
        away(1.0)
        run.progress(50, message="meanwhile")

    with doing(deed):
        assert make_runtime(committing).run_job(job_id)
    assert (read(committing, job_id).status, read(committing, job_id).attempt) == ("succeeded", 1)


def test_a_failure_is_recorded_when_the_database_is_back(
    committing: Database, job_id: UUID, away: Callable[[float | None], None]
) -> None:
    def deed(*_: Any) -> None:
        away(1.0)
        raise jobs.WorkerLost("for good")

    with doing(deed):
        assert make_runtime(committing).run_job(job_id)
    job = read(committing, job_id)
    assert job.error is not None
    assert (job.status, job.error["code"], job.error["message"]) == ("failed", "WORKER_LOST", "for good")


def test_a_failure_that_quotes_what_no_database_holds_is_recorded(committing: Database, job_id: UUID) -> None:
    def deed(*_: Any) -> None:
        raise jobs.WorkerLost("it said \0 and \ud800", quoted=["a\0", {"b": "\udfff"}])

    with doing(deed):
        assert make_runtime(committing).run_job(job_id)
    job = read(committing, job_id)
    assert job.error is not None
    assert (job.status, job.error["message"]) == ("failed", "it said \ufffd and \ufffd")
    assert job.error["details"] == {"quoted": ["a\ufffd", {"b": "\ufffd"}]}


def test_an_end_whose_commit_was_made_though_its_answer_was_lost_is_made_once(
    committing: Database, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = Session.commit

    def lose_the_answer(session: Session) -> None:
        monkeypatch.undo()
        commit(session)
        raise lost()

    def deed(*_: Any) -> None:
        monkeypatch.setattr(Session, "commit", lose_the_answer)

    with doing(deed):
        assert make_runtime(committing).run_job(job_id)
    assert (read(committing, job_id).status, read(committing, job_id).attempt) == ("succeeded", 1)


def test_an_outage_in_the_middle_of_work_is_no_bug(committing: Database, job_id: UUID) -> None:
    def deed(*_: Any) -> None:
        raise lost()

    with doing(deed):
        assert make_runtime(committing).run_job(job_id)
    job = read(committing, job_id)
    assert (job.status, job.attempt, job.message) == ("queued", 1, "The database is away; try again soon.")


def test_an_end_is_not_awaited_for_ever(
    committing: Database, job_id: UUID, away: Callable[[float | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtimes, "PATIENCE", 0.0)
    with doing(lambda *_: away(None)), pytest.raises(OperationalError):
        make_runtime(committing).run_job(job_id)
