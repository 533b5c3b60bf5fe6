"""Which passwords are refused, and how much of the API they may keep busy."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.identity import passwords
from app.identity.passwords import Places, bound_hashing, hash_password, refuse_weak, verify_password
from app.kernel.errors import Invalid, Unavailable
from tests.identity.conftest import Committing
from tests.support.identity import PASSWORD, Person, data_of, error_of, make_person


def register(client: FlaskClient, password: str, username: str = "alice") -> Any:
    body = {"username": username, "email": f"{username}@example.com", "password": password}
    return client.post("/api/v1/auth/register", json=body)


@pytest.mark.parametrize(
    "password", ["password", "PassWord", "12345678", "qwertyuiop", "iloveyou1", "\uff50assword", "trustno1"]
)
def test_a_common_password_is_refused_in_any_writing(client: FlaskClient, password: str) -> None:
    (fault,) = error_of(register(client, password), 422)["errors"]
    assert fault["field"] == "password"
    assert "common" in fault["message"]


@pytest.mark.parametrize(
    "password", ["robinson", "Robinson1!", "robinson@example.com", "robinsonrobinson", "x.robinson.y"]
)
def test_the_own_name_is_no_password(client: FlaskClient, password: str) -> None:
    (fault,) = error_of(register(client, password, "robinson"), 422)["errors"]
    assert (fault["field"], "own name" in fault["message"]) == ("password", True)


def test_a_name_within_a_long_password_is_no_fault(client: FlaskClient) -> None:
    data_of(register(client, "robinson has a battery", "robinson"), 201)


def test_a_new_password_is_judged_like_the_first(client: FlaskClient, alice: Person) -> None:
    for weak in ("password1", "alice@example.com"):
        body = {"current_password": PASSWORD, "new_password": weak}
        reply = client.post("/api/v1/auth/change-password", json=body, headers=alice.headers)
        (fault,) = error_of(reply, 422)["errors"]
        assert fault["field"] == "new_password"


def test_short_names_do_not_make_passwords_weak() -> None:
    refuse_weak("correct horse", "co", "co@x.io")
    with pytest.raises(Invalid):
        refuse_weak("correct!", "correct")


def test_one_password_typed_in_two_forms_is_one_password() -> None:
    assert verify_password(hash_password("cafe\u0301 cafe\u0301"), "caf\u00e9 caf\u00e9")
    assert not verify_password(hash_password("cafe cafe"), "caf\u00e9 caf\u00e9")


def test_a_wait_for_a_place_is_bounded() -> None:
    places, release, inside = Places(threads=4), Event(), Barrier(3)

    def hold(_: int) -> None:
        with places.taken():
            inside.wait(10)
            release.wait(10)

    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(hold, number) for number in range(2)]
        inside.wait(10)
        with pytest.raises(Unavailable) as refused, places.taken():
            pass
        with pytest.raises(Unavailable):
            places.refuse_full()
        release.set()
        assert [future.result() for future in held] == [None, None]
    assert refused.value.headers["Retry-After"] == "1"
    places.refuse_full()
    with places.taken():
        pass


def test_a_flood_of_logins_leaves_the_other_threads_to_others(committing: Committing) -> None:
    alice = make_person(committing.app, committing.database, "alice")
    bound_hashing(4)
    path, together = "/api/v1/auth/login", Barrier(8)

    def attempt(number: int) -> int:
        together.wait(10)
        body = {"username": f"nobody{number}", "password": "not the password"}
        return committing.app.test_client().post(path, json=body).status_code

    try:
        with ThreadPoolExecutor(8) as pool:
            flood = [pool.submit(attempt, number) for number in range(8)]
            statuses = Counter(future.result() for future in flood)
    finally:
        bound_hashing(64)
    assert set(statuses) <= {401, 503}
    assert statuses[401] >= 2
    began = time.monotonic()
    data_of(committing.app.test_client().get("/api/v1/auth/me", headers=alice.headers))
    assert time.monotonic() - began < 5


def test_the_list_is_the_whole_list() -> None:
    common = passwords._common()
    assert len(common) > 10_000
    assert {"football", "baseball", "superman"} <= common
