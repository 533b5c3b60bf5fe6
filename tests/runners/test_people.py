"""Machines become runners, and people look after them."""

from __future__ import annotations

from uuid import UUID

from flask.testing import FlaskClient

from tests.support.identity import Person, data_of
from tests.support.runners import API, HandRunner, make_token


def test_runners_are_registered_by_whoever_may(client: FlaskClient, alice: Person) -> None:
    text = make_token(client, alice, labels=["trusted"])
    assert text.startswith("hr_reg_")
    body = {"token": text, "name": "m", "labels": ["gpu"], "version": "1", "system": "s", "sandbox": "plain"}
    made = data_of(client.post(f"{API}/runner/register", json=body | {"capacity": 1}), 201)
    assert (made["token"][:7], made["labels"]) == ("hr_run_", ["trusted"])
    used = client.post(f"{API}/runner/register", json=body | {"capacity": 1})
    assert used.status_code == 401
    wrong = client.post(f"{API}/runner/register", json=body | {"capacity": 1, "token": made["token"]})
    assert wrong.status_code == 401


def test_people_see_their_runners_drain_them_and_delete_them(
    client: FlaskClient, alice: Person, started: UUID, runner: HandRunner
) -> None:
    listing = client.get(f"{API}/organizations/{alice.organization_id}/runners?label=gpu", headers=alice.headers)
    [shown] = data_of(listing)
    assert (shown["online"], shown["labels"], "token" in shown) == (False, ["gpu", "linux", "x86_64"], False)
    place = f"{API}/runners/{shown['id']}"
    data_of(client.patch(place, json={"draining": True}, headers=alice.headers))
    assert runner.claim() is None
    data_of(client.patch(place, json={"draining": False}, headers=alice.headers))
    given = runner.claim_one()
    seen = data_of(client.get(place, headers=alice.headers))
    assert (seen["online"], seen["jobs"]) == (True, [given["job_id"]])
    data_of(client.patch(place, json={"disabled": True}, headers=alice.headers))
    refused = runner.post(given, "/heartbeat")
    assert (refused.status_code, refused.get_json()["error"]["code"]) == (403, "RUNNER_DISABLED")
    assert client.delete(place, headers=alice.headers).status_code == 204
    assert runner.post(given, "/heartbeat").status_code == 401
