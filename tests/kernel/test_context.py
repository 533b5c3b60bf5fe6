"""What a thread works for: known to it, to what it starts with it, and to nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.kernel import context
from app.kernel.context import carried, known, working_for


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    yield
    context.begin()


def test_blocks_add_to_what_is_known_and_take_it_back() -> None:
    with working_for(request_id="r", job_id=None):
        with working_for(job_id="j", request_id=None):
            assert known() == {"request_id": "r", "job_id": "j"}
        assert known() == {"request_id": "r"}
    assert known() == {}


def test_beginning_anew_forgets_the_rest() -> None:
    context.begin(request_id="r1", attempt=1)
    context.begin(request_id="r2")
    assert known() == {"request_id": "r2"}


def test_a_thread_knows_what_it_is_given_and_no_more() -> None:
    seen: list[dict[str, object]] = []
    with working_for(job_id="j"):
        threads = [
            threading.Thread(target=carried(lambda: seen.append(dict(known())))),
            threading.Thread(target=lambda: seen.append(dict(known()))),
        ]
    for thread in threads:
        thread.start()
        thread.join()
    assert seen == [{"job_id": "j"}, {}]


def test_what_is_carried_to_threads_at_once_keeps_apart() -> None:
    both = threading.Barrier(2)

    def work(name: str) -> dict[str, object]:
        with working_for(step=name):
            both.wait(5)
            return dict(known())

    with working_for(job_id="j"), ThreadPoolExecutor(2) as pool:
        found = [pool.submit(carried(work), name) for name in ("a", "b")]
        assert [one.result() for one in found] == [{"job_id": "j", "step": "a"}, {"job_id": "j", "step": "b"}]
