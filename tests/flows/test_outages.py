"""What the API does when PostgreSQL or Redis hangs, dies, is full or refuses: it keeps what it accepts, says what is
the matter, never hangs, and works again without a restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from app.kernel.opening import open_database
from tests.support.outage_api import (
    LIMIT_SECONDS,
    STATEMENT_SECONDS,
    Api,
    Pulse,
    assert_refused,
    serve,
    serving_api,
    timed,
)
from tests.support.outages import CuttingProxy, frozen, small_disk
from tests.support.platform import wait_for
from tests.support.servers import migrate
from workers.messages import make_celery
from workers.relay import Relay


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with serving_api(tmp_path_factory.mktemp("outages")) as api:
        yield api


def test_a_database_that_hangs_is_refused_for_and_the_process_goes_on_answering(api: Api) -> None:
    assert api.accept().status == 202
    before, postgres = api.jobs(), api.servers.postgres.pid
    assert postgres
    with ThreadPoolExecutor(16) as pool, frozen(postgres), Pulse(api) as pulse:
        began = time.monotonic()
        replies = list(pool.map(lambda _: timed(api.accept), range(32)))
        assert time.monotonic() - began < 2 * LIMIT_SECONDS
        assert api.check("database")["status"] == "unhealthy"
        assert api.health("/health/ready").status == 503
    for reply, seconds in replies:
        assert_refused(reply, "database_silent", "database_busy")
        assert seconds < LIMIT_SECONDS
    assert pulse.beats > 3
    assert pulse.slowest < LIMIT_SECONDS / 2
    wait_for(api.works_again)
    assert api.jobs() - before == 1


def test_a_database_that_is_gone_is_refused_for_at_once(api: Api) -> None:
    before = api.jobs()
    api.servers.postgres.kill()
    replies = [timed(api.accept) for _ in range(5)]
    for reply, seconds in replies:
        assert_refused(reply, "database_away")
        assert seconds < 3
    assert (api.health().status, api.check("database")["status"]) == (503, "unhealthy")
    assert api.health("/health/live").status == 200
    api.servers.postgres.start()
    wait_for(api.works_again)
    assert api.jobs() - before == 1


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_is_lost_is_told_of_truthfully_when_it_is_repeated(api: Api, committed: bool) -> None:
    before, key = api.jobs(), f"order-{committed}"
    api.proxy.arm("jobs.bulk", cut_after=committed)
    assert_refused(api.accept(Idempotency_Key=key), "outcome_unknown")
    assert api.jobs() - before == int(committed)
    again = api.accept(Idempotency_Key=key)
    assert again.data(202)["kind"] == "jobs.bulk"
    assert ("Idempotent-Replayed" in again.headers) == committed
    assert api.jobs() - before == 1
    assert api.user.get(f"/jobs/{again.data(202)['id']}").status == 200


def test_a_commit_whose_answer_is_lost_is_no_202_and_no_500_without_a_key(api: Api) -> None:
    before = api.jobs()
    for committed in (True, False):
        api.proxy.arm("jobs.bulk", cut_after=committed)
        reply = api.accept()
        assert_refused(reply, "outcome_unknown")
        assert "may have been done" in reply.error(503)["message"]
    assert api.jobs() - before == 1
    assert api.works_again()


def take_all_connections(api: Api, held: ExitStack) -> list[psycopg.Connection[Any]]:
    taken: list[psycopg.Connection[Any]] = []
    with suppress(psycopg.OperationalError):
        while True:
            taken.append(held.enter_context(closing(api.connect())))
    return taken


def test_a_server_without_a_free_connection_is_refused_for(api: Api) -> None:
    before = api.jobs()
    with ExitStack() as held:
        taken = take_all_connections(api, held)
        assert api.accept().status == 202, "what the process has already, it may use"
        taken[0].execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> ALL (%s)",
            [[connection.info.backend_pid for connection in taken]],
        )
        take_all_connections(api, held)
        assert_refused(api.accept(), "database_crowded")
        assert api.check("database")["status"] == "unhealthy"
    wait_for(api.works_again)
    assert api.jobs() - before == 2


def alter(api: Api, change: str) -> None:
    with api.connect() as connection:
        connection.execute(f"ALTER DATABASE outages {change}")
    api.cut_all()


def test_a_database_that_takes_no_changes_is_read_and_not_written(api: Api) -> None:
    accepted = api.accept().data(202)["id"]
    before = api.jobs()
    alter(api, "SET default_transaction_read_only = on")
    try:
        assert_refused(api.accept(), "database_read_only")
        assert api.user.get(f"/jobs/{accepted}").status == 200
        assert api.check("database")["status"] == "degraded"
    finally:
        alter(api, "RESET default_transaction_read_only")
    wait_for(api.works_again)
    assert api.jobs() - before == 1


def test_a_statement_that_waits_too_long_is_given_up(api: Api) -> None:
    before = api.jobs()
    with api.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        reply, seconds = timed(api.accept)
        assert_refused(reply, "database_slow")
        assert STATEMENT_SECONDS <= seconds < LIMIT_SECONDS
        assert "took longer" in api.check("database")["message"]
    assert api.works_again()
    assert api.jobs() - before == 1


def test_without_redis_jobs_are_accepted_as_fast_and_sent_later(api: Api) -> None:
    assert api.accept().status == 202
    server = api.servers.redis
    assert server.pid
    with frozen(server.pid):
        accepted = accept_quickly(api)
        assert api.check("redis")["status"] == "degraded"
    wait_for(lambda: api.check("redis")["status"] == "healthy")
    assert_sent_by_the_relay(api, accepted)
    server.kill()
    accepted = accept_quickly(api)
    assert api.check("redis")["status"] == "degraded"
    server.start()
    wait_for(lambda: api.check("redis")["status"] == "healthy")
    assert_sent_by_the_relay(api, accepted)


def accept_quickly(api: Api) -> list[str]:
    """Accept some jobs: the first may wait for Redis, those behind it must not."""
    replies = [timed(api.accept) for _ in range(8)]
    assert [reply.status for reply, _ in replies] == [202] * 8
    seconds = sorted(seconds for _, seconds in replies)
    assert seconds[-1] < 4
    assert seconds[len(seconds) // 2] < 1
    return [reply.data(202)["id"] for reply, _ in replies]


def assert_sent_by_the_relay(api: Api, job_ids: list[str]) -> None:
    database = open_database(api.settings.database_url, None, pool_size=2)
    with make_celery(api.settings.broker) as celery, closing(redis.Redis.from_url(api.settings.redis_url)) as client:
        client.flushdb()
        Relay(database, celery, replace(api.settings, relay_resend_seconds=3600)).send_lost()
        lengths = [client.llen(key) for key in client.scan_iter(match="default*")]
    database.bind.dispose()  # type: ignore[union-attr]
    assert sum(map(int, lengths)) >= len(job_ids)
    with api.connect() as connection:
        unsent = connection.execute("SELECT count(*) FROM jobs WHERE sent_at IS NULL").fetchone()
    assert unsent == (0,)


def test_a_full_disk_is_refused_for_and_what_was_accepted_is_kept(api: Api, tmp_path: Path) -> None:
    with ExitStack() as stack:
        disk = tmp_path / "disk"
        if not stack.enter_context(small_disk(disk, 64)):
            pytest.skip("filling a disk needs the right to mount one")
        small = stack.enter_context(on_small_disk(api, disk, tmp_path))
        before = small.jobs()
        assert small.accept().status == 202
        with small.connect() as connection, suppress(psycopg.errors.DiskFull):
            connection.execute("CREATE TABLE filler (line text)")
            while True:
                connection.execute("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 2000)")
        replies = []
        while not replies or replies[-1].status == 202:
            replies.append(small.accept())
        assert_refused(replies[-1], "database_full")
        kept = [reply.data(202)["id"] for reply in replies[:-1]]
        assert all(small.user.get(f"/jobs/{job_id}").status == 200 for job_id in kept)
        finding = small.check("database")
        assert (finding["status"], "no room" in finding["message"]) == ("degraded", True)
        with small.connect() as connection:
            connection.execute("DROP TABLE filler")
        wait_for(small.works_again)
        assert small.jobs() - before == 1 + len(kept) + 1


@contextmanager
def on_small_disk(api: Api, disk: Path, folder: Path) -> Iterator[Api]:
    """Serve an API whose database lies on a disk of its own."""
    with api.connect() as connection:
        connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        connection.execute("CREATE DATABASE small TABLESPACE small TEMPLATE template0")
    url = api.servers.postgres.database_url("small")
    migrate(url)
    proxy = CuttingProxy(api.servers.postgres.port)
    try:
        yield from serve(api.servers, proxy, url, folder)
    finally:
        proxy.close()
        with api.connect() as connection:
            connection.execute("DROP DATABASE small WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")
