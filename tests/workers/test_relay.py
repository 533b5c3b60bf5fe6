"""The relay: what was lost is sent again, what a lost worker held goes on elsewhere, what happened is passed on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from queue import Empty
from typing import Any
from uuid import UUID

import pytest
import redis
from celery import Celery
from sqlalchemy import select, update

from app import jobs
from app.jobs import Job
from app.jobs.watch import JobWatch
from app.kernel.clock import database_now, sql_seconds
from app.kernel.db import Database
from app.kernel.engine import make_engine
from app.kernel.events import EventRecord
from app.kernel.ids import new_id
from config.settings import Settings
from launcher.ports import free_port
from tests.support.platform import wait_for
from tests.support.work import Errand, doing, make_runtime
from workers.messages import make_celery
from workers.relay import Relay
from workers.sender import CelerySender

LEASE = 1.5


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url)) as client:
        client.flushdb()
        yield client


@pytest.fixture
def celery(redis_url: str, broker: redis.Redis) -> Iterator[Celery]:
    with make_celery(redis_url) as celery:
        yield celery


@pytest.fixture
def relay(database: Database, celery: Celery, settings: Settings) -> Relay:
    return Relay(database, celery, replace(settings, relay_resend_seconds=30, job_lease_seconds=LEASE))


def accept(database: Database, **options: Any) -> UUID:
    with database.transaction() as session:
        return jobs.accept(session, Errand(new_id()), **options)


def change(database: Database, job_id: UUID, **values: Any) -> None:
    with database.transaction() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def read(database: Database, job_id: UUID) -> Job:
    with database.transaction() as session:
        return session.get_one(Job, job_id, populate_existing=True)


def ago(seconds: float) -> Any:
    return database_now() - sql_seconds(seconds)


def messages(celery: Celery) -> list[str]:
    """Take all messages off the queue; return the job ids in them."""
    found: list[str] = []
    with celery.connection_for_read() as connection, connection.SimpleQueue("default") as queue, suppress(Empty):
        while True:
            message = queue.get_nowait()
            message.ack()
            found.append(message.payload[0][0])
    return found


def test_what_was_never_sent_is_sent_at_the_next_look(database: Database, relay: Relay, celery: Celery) -> None:
    unsent, sent, later = accept(database), accept(database), accept(database, delay=60)
    change(database, unsent, sent_at=None)
    relay.look()
    assert messages(celery) == [str(unsent)]
    assert read(database, unsent).sent_at is not None
    assert read(database, later).sent_at is None
    relay.look()
    assert messages(celery) == []
    assert read(database, sent).status == jobs.QUEUED


def test_a_hint_that_was_lost_is_sent_again_once_it_is_old(
    database: Database, relay: Relay, celery: Celery, broker: redis.Redis
) -> None:
    job_id = accept(database)
    change(database, job_id, sent_at=ago(10))
    relay.look()
    assert messages(celery) == []
    change(database, job_id, sent_at=ago(31))
    relay.look()
    broker.flushdb()
    relay.look()
    assert messages(celery) == []
    change(database, job_id, sent_at=ago(31))
    relay.look()
    assert messages(celery) == [str(job_id)]


def test_what_still_waits_in_a_crowded_queue_is_not_sent_again(
    database: Database, relay: Relay, celery: Celery
) -> None:
    waiting = [accept(database) for _ in range(3)]
    for job_id in waiting:
        change(database, job_id, sent_at=ago(60))
    relay.look()
    assert len(messages(celery)) == 3
    for job_id in waiting:
        change(database, job_id, sent_at=None)
    relay.look()
    for job_id in waiting:
        change(database, job_id, sent_at=ago(60))
    relay.look()
    relay.look()
    assert sorted(messages(celery)) == sorted(map(str, waiting))


def test_a_job_that_ended_or_runs_is_not_sent(database: Database, relay: Relay, celery: Celery) -> None:
    ended, running = accept(database), accept(database)
    with doing(lambda *_: None):
        make_runtime(database).run_job(ended)
    with database.transaction() as session:
        jobs.claim(session, running, "tests:1", 60)
    for job_id in (ended, running):
        change(database, job_id, sent_at=None)
    relay.look()
    assert messages(celery) == []


def test_a_broker_that_is_away_is_tried_again(database: Database, relay: Relay, settings: Settings) -> None:
    job_id = accept(database)
    change(database, job_id, sent_at=None)
    with make_celery(f"redis://127.0.0.1:{free_port()}/0", socket_timeout=0.5) as nobody:
        began = time.monotonic()
        Relay(database, nobody, settings).look()
    assert time.monotonic() - began < 3
    assert read(database, job_id).sent_at is None
    relay.look()
    assert read(database, job_id).sent_at is not None


def test_what_a_broker_that_is_away_did_not_take_is_marked_at_once(
    committing: Database, celery: Celery, settings: Settings
) -> None:
    with make_celery(f"redis://127.0.0.1:{free_port()}/0", socket_timeout=0.5) as nobody:
        jobs.send_accepted(committing, CelerySender(nobody))
        job_id = accept(committing)
    assert read(committing, job_id).sent_at is None
    Relay(committing, celery, settings).look()
    assert messages(celery) == [str(job_id)]


def expire(database: Database, job_id: UUID) -> None:
    """Let a worker claim the job and never be heard of again."""
    change(database, job_id, scheduled_for=database_now())
    with database.transaction() as session:
        assert jobs.claim(session, job_id, "lost:1", 60) is not None
    change(database, job_id, lease_until=ago(1))


def look_until(relay: Relay, seen: Callable[[], bool]) -> None:
    def look() -> bool:
        relay.look()
        return seen()

    wait_for(look, 15)


def test_nothing_is_reaped_before_the_database_was_there_for_a_lease(
    database: Database, celery: Celery, settings: Settings
) -> None:
    relay = Relay(database, celery, replace(settings, job_lease_seconds=60))
    job_id = accept(database)
    expire(database, job_id)
    relay.look()
    relay.look()
    assert read(database, job_id).status == jobs.RUNNING
    patient = Relay(database, celery, replace(settings, job_lease_seconds=LEASE))
    look_until(patient, lambda: read(database, job_id).status == jobs.QUEUED)


def watched(database: Database, *, since: float, seen: float) -> None:
    """Let relays have watched since so many seconds ago, and last looked so many seconds ago."""
    with database.transaction() as session:
        jobs.keep_watch(session, LEASE)
        session.execute(update(JobWatch).values(since=ago(since), seen=ago(seen)))


def test_relays_that_all_end_within_a_lease_reap_together(
    database: Database, celery: Celery, settings: Settings
) -> None:
    job_id = accept(database)
    expire(database, job_id)

    def look_once() -> bool:
        Relay(database, celery, replace(settings, job_lease_seconds=LEASE)).look()
        return read(database, job_id).status == jobs.QUEUED

    wait_for(look_once, 15)


def test_a_database_that_is_away_is_looked_for_again(database: Database, relay: Relay) -> None:
    job_id = accept(database)
    bind = database.bind
    database.bind = make_engine(f"postgresql://nobody@127.0.0.1:{free_port()}/nothing")
    relay.look()
    database.bind = bind
    expire(database, job_id)
    look_until(relay, lambda: read(database, job_id).status == jobs.QUEUED)


def test_a_lost_attempt_counts_and_the_last_one_fails_the_job(database: Database, relay: Relay) -> None:
    job_id = accept(database)
    for attempt in (1, 2, 3):
        expire(database, job_id)
        look_until(relay, lambda: read(database, job_id).status != jobs.RUNNING)
        job = read(database, job_id)
        assert (job.attempt, job.status) == (attempt, jobs.QUEUED if attempt < 3 else jobs.FAILED)
        assert job.lease_until is None
    assert job.error is not None
    assert job.error["code"] == "WORKER_LOST"
    assert "lost:1" in job.error["message"]


def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(database: Database, relay: Relay) -> None:
    job_id = accept(database)
    expire(database, job_id)
    with database.transaction() as session:
        jobs.cancel(session, session.get_one(Job, job_id))
    look_until(relay, lambda: read(database, job_id).status == jobs.CANCELLED)


def test_a_parked_job_is_not_reaped(database: Database, relay: Relay) -> None:
    job_id = accept(database)
    with database.transaction() as session:
        claim = jobs.claim(session, job_id, "tests:1", 60)
        assert claim is not None
        jobs.park(session, jobs.hold(session, claim))
    watched(database, since=10 * LEASE, seen=LEASE / 10)
    relay.look()
    assert read(database, job_id).status == jobs.RUNNING


def test_two_relays_beside_each_other_send_and_reap_once(
    committing: Database, celery: Celery, settings: Settings
) -> None:
    unsent, lost = accept(committing), accept(committing)
    change(committing, unsent, sent_at=None)
    expire(committing, lost)
    relays = [Relay(committing, celery, replace(settings, job_lease_seconds=0)) for _ in range(3)]
    threads = [threading.Thread(target=relay.look) for relay in relays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert messages(celery) == [str(unsent)]
    assert (read(committing, lost).status, read(committing, lost).attempt) == (jobs.QUEUED, 1)
    with committing.transaction() as session:
        records = session.scalars(select(EventRecord).where(EventRecord.dispatched_at.is_(None))).all()
    assert records == []


def test_a_fault_in_one_duty_keeps_no_other_back(
    database: Database, relay: Relay, celery: Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    unsent, lost = accept(database), accept(database)
    change(database, unsent, sent_at=None)
    expire(database, lost)
    monkeypatch.setattr(relay, "dispatch_events", fail, raising=True)
    fail.__name__ = "dispatch_events"
    look_until(relay, lambda: read(database, lost).status == jobs.QUEUED)
    assert str(unsent) in messages(celery)


def test_it_ends_when_it_is_told_to(relay: Relay) -> None:
    stop = threading.Event()
    stop.set()
    relay.run(stop)
