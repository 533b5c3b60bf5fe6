"""The sender: what it puts into the broker is a message any Celery worker takes, whatever happens to connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from celery import Celery

from app.jobs import Hint
from app.kernel.ids import new_id
from launcher.embedded import EmbeddedRedis
from launcher.ports import free_port
from workers.messages import make_celery
from workers.sender import CelerySender


def hint() -> Hint:
    return Hint(new_id(), "tests.errand", "default", 3, 2)


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of these tests alone: one of them cuts all connections there are."""
    with EmbeddedRedis(tmp_path_factory.mktemp("broker")) as server:
        yield server.url


@pytest.fixture
def celery(broker_url: str) -> Iterator[Celery]:
    with redis.Redis.from_url(broker_url) as client:
        client.flushdb()
    with make_celery(broker_url) as celery:
        yield celery


def received(celery: Celery, count: int) -> list[tuple[str, str, list[str]]]:
    """Take messages as a worker does: task, id and arguments of each."""
    with celery.connection_for_read() as connection, connection.SimpleQueue("default") as queue:
        messages = [queue.get(timeout=2) for _ in range(count)]
        return [(message.headers["task"], message.headers["id"], message.payload[0]) for message in messages]


def test_a_hint_is_a_task_named_for_its_kind_with_the_jobs_id(celery: Celery) -> None:
    sent = hint()
    CelerySender(celery).send([sent])
    assert received(celery, 1) == [("tests.errand", f"{sent.job_id}.2", [str(sent.job_id)])]


def test_a_hint_never_expires_by_a_workers_clock(celery: Celery) -> None:
    CelerySender(celery).send([hint()])
    with celery.connection_for_read() as connection, connection.SimpleQueue("default") as queue:
        assert queue.get(timeout=2).headers["expires"] is None


def test_several_threads_send_at_once(celery: Celery) -> None:
    sender, hints = CelerySender(celery), [hint() for _ in range(20)]
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda one: sender.send([one]), hints))
    assert {arguments[0] for _, _, arguments in received(celery, 20)} == {str(one.job_id) for one in hints}


def test_a_connection_that_the_broker_closed_costs_no_later_hint(celery: Celery, broker_url: str) -> None:
    sender = CelerySender(celery)
    hints = [hint() for _ in range(4)]
    sender.send(hints[:1])
    with redis.Redis.from_url(broker_url) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert [sender.send([one]) for one in hints[1:]] == [[]] * 3
    assert {arguments[0] for _, _, arguments in received(celery, 4)} == {str(one.job_id) for one in hints}


def test_hints_that_no_broker_takes_are_told() -> None:
    hints = [hint(), hint()]
    with make_celery(f"redis://127.0.0.1:{free_port()}/0", socket_timeout=0.5) as nobody:
        unsent = CelerySender(nobody).send(hints)
    assert unsent == [one.job_id for one in hints]


def test_a_broker_that_hangs_keeps_one_request_waiting_and_not_those_behind_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with make_celery(url, socket_timeout=0.3) as celery:
            sender, hints = CelerySender(celery, rest=60), [hint() for _ in range(5)]
            assert sender.send(hints[:1]) == [hints[0].job_id]
            began = time.monotonic()
            assert [sender.send([one]) for one in hints[1:]] == [[one.job_id] for one in hints[1:]]
            assert time.monotonic() - began < 0.1


def test_a_broker_that_is_back_is_used_when_the_rest_is_over(celery: Celery, broker_url: str) -> None:
    sender, one = CelerySender(celery, rest=0.2), hint()
    sender._breaker.failed()
    assert sender.send([one]) == [one.job_id]
    time.sleep(0.25)
    assert sender.send([one]) == []
    assert sender.send([one]) == []
