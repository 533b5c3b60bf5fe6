"""Places: an organization has so many jobs with the workers of a queue; the rest wait in line, and nobody starves."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app import jobs
from app.jobs import Claim, Hint, Job
from app.jobs.places import position_of, set_places
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.ids import new_id
from config.settings import Settings
from tests.support.committing import committing_database
from tests.support.identity import Person, data_of, make_person
from tests.support.work import Errand, doing, make_runtime

ACME, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def hints(database: Database, hints: Any) -> list[Hint]:
    """What is sent; Acme has two places, everyone else has three."""
    with database.transaction() as session:
        set_places(session, 2, ACME)
        set_places(session, 3)
    sent: list[Hint] = hints.sent
    return sent


def accept(database: Database, organization_id: UUID | None = ACME, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), organization_id=organization_id, **options)


def claim(database: Database, job_id: UUID) -> Claim | None:
    with database.transaction() as session:
        return jobs.claim(session, job_id, "tests:1", 30)


def finish(database: Database, claimed: Claim | None) -> None:
    assert claimed is not None
    with database.transaction() as session:
        jobs.end(session, jobs.hold(session, claimed), jobs.SUCCEEDED)


def ids(hints: list[Hint]) -> list[UUID]:
    return [hint.job_id for hint in hints]


def is_held(database: Database, job_id: UUID) -> bool:
    with database.transaction() as session:
        return session.execute(select(Job.held).where(Job.id == job_id)).scalar_one()


def test_what_has_no_place_is_not_sent_until_one_is_freed(database: Database, hints: list[Hint]) -> None:
    first, second, third, fourth = (accept(database) for _ in range(4))
    assert ids(hints) == [first, second]
    assert [is_held(database, job_id) for job_id in (second, third)] == [False, True]
    running = claim(database, first)
    assert ids(hints) == [first, second]
    finish(database, running)
    assert ids(hints) == [first, second, third]
    finish(database, claim(database, second))
    assert ids(hints)[3:] == [fourth]


def test_another_organization_does_not_wait_behind_it(database: Database, hints: list[Hint]) -> None:
    for _ in range(20):
        accept(database)
    theirs = [accept(database, OTHER) for _ in range(3)]
    of_nobody = [accept(database, None) for _ in range(5)]
    assert ids(hints)[2:] == theirs + of_nobody


def test_the_line_is_in_order_of_priority_then_of_time(database: Database, hints: list[Hint]) -> None:
    running = [claim(database, accept(database)) for _ in range(2)]
    waiting = [accept(database) for _ in range(3)]
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == waiting[2]).values(priority=1))
    for claimed in running:
        finish(database, claimed)
    assert ids(hints)[2:] == [waiting[2], waiting[0]]


def test_a_message_that_comes_too_soon_puts_its_job_in_line(database: Database, hints: list[Hint]) -> None:
    running = [claim(database, accept(database)) for _ in range(2)]
    early = accept(database)
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == early).values(held=False))
    assert claim(database, early) is None
    assert is_held(database, early)
    finish(database, running[0])
    assert ids(hints)[2:] == [early]
    assert claim(database, early) is not None


@pytest.mark.parametrize("how", ["cancel", "park", "fail", "give back later"])
def test_whatever_frees_a_place_lets_the_next_in(database: Database, hints: list[Hint], how: str) -> None:
    first = accept(database)
    accept(database)
    waiting = accept(database)
    claimed = claim(database, first)
    assert claimed is not None
    with database.transaction() as session:
        job = jobs.hold(session, claimed)
        match how:
            case "cancel":
                jobs.end(session, job, jobs.CANCELLED)
            case "park":
                jobs.park(session, job)
            case "fail":
                jobs.end(session, job, jobs.FAILED, error={"code": "X", "message": "x", "details": {}})
            case "give back later":
                jobs.give_back(session, job, delay=60, reason="later")
    assert ids(hints)[2:] == [waiting]


def test_what_is_held_and_cancelled_frees_no_place(database: Database, hints: list[Hint]) -> None:
    accepted = [accept(database) for _ in range(5)]
    with database.transaction() as session:
        for job_id in accepted[3:]:
            jobs.cancel(session, session.get_one(Job, job_id))
    assert ids(hints) == accepted[:2]


def test_what_is_due_later_takes_no_place(database: Database, hints: list[Hint]) -> None:
    for _ in range(3):
        accept(database, delay=60)
    now = accept(database)
    assert ids(hints) == [now]


def test_the_relay_lets_in_what_a_new_limit_allows(database: Database, hints: list[Hint]) -> None:
    accepted = [accept(database) for _ in range(6)]
    with database.transaction() as session:
        set_places(session, 4, ACME)
        assert jobs.let_in_all(session) == 2
        sent = jobs.take_unsent(session, stale_seconds=60)
        assert {hint.job_id for hint in sent} == set(accepted[2:4])
        set_places(session, 0, ACME)
        assert jobs.let_in_all(session) == 2


def test_a_held_job_is_not_taken_for_a_lost_one(database: Database, hints: list[Hint]) -> None:
    accepted = [accept(database) for _ in range(4)]
    with database.transaction() as session:
        long_ago = database_now() - sql_seconds(3600)
        session.execute(update(Job).values(sent_at=long_ago, scheduled_for=long_ago))
        sent = jobs.take_unsent(session, stale_seconds=60)
        assert {hint.job_id for hint in sent} == set(accepted[:2])
        assert jobs.count_waiting(session) == {"default": 2}


def test_a_retried_job_takes_its_turn(database: Database, hints: list[Hint]) -> None:
    first = accept(database)
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, first))
    accept(database)
    accept(database)
    with database.transaction() as session:
        jobs.retry(session, session.get_one(Job, first), 3)
    assert is_held(database, first)
    assert len(hints) == 3


def test_a_position_counts_what_is_taken_before(database: Database, hints: list[Hint]) -> None:
    accepted = [accept(database) for _ in range(4)]
    theirs = accept(database, OTHER)

    def positions() -> list[int | None]:
        with database.transaction() as session:
            return [position_of(session, session.get_one(Job, job_id)) for job_id in (*accepted, theirs)]

    assert positions() == [1, 2, 4, 5, 3]
    finish(database, claim(database, accepted[0]))
    assert positions() == [None, 1, 2, 4, 3]


def test_a_waiting_job_shows_its_position(client: FlaskClient, database: Database, app: Flask) -> None:
    alice: Person = make_person(app, database, "alice")
    accepted = [accept(database, alice.organization_id) for _ in range(2)]
    shown = data_of(client.get(f"/api/v1/jobs/{accepted[1]}", headers=alice.headers))
    assert (shown["status"], shown["queue_position"]) == ("queued", 2)
    with doing(lambda *_: None):
        make_runtime(database).run_job(accepted[1])
    assert data_of(client.get(f"/api/v1/jobs/{accepted[1]}", headers=alice.headers))["queue_position"] is None


@pytest.fixture
def committing(settings: Settings) -> Iterator[Database]:
    with committing_database(settings) as database:
        yield database


def test_claims_at_once_do_not_pass_the_limit(committing: Database) -> None:
    with committing.transaction() as session:
        set_places(session, 3, ACME)
    accepted = [accept(committing) for _ in range(16)]
    with committing.transaction() as session:
        session.execute(update(Job).values(held=False))
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda job_id: claim(committing, job_id), accepted))
    assert sum(claimed is not None for claimed in claims) == 3
