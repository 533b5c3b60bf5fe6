"""Once more: by hand, as a test, as a replay; another secret; and what the numbers say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jsonschema
import pytest
from flask.testing import FlaskClient
from standardwebhooks import WebhookVerificationError

from app.kernel.ids import new_id
from app.webhooks.catalogue import find_type
from tests.support.identity import Person, data_of
from tests.support.receivers import Receiver
from tests.support.webhooks import API, Postman, changes, created, make_webhook


def page(client: FlaskClient, person: Any, made: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = data_of(
        client.get(f"{API}/webhooks/{made['id']}/deliveries{query}", headers=person.headers)
    )
    return rows


def test_one_is_sent_again_by_hand_and_the_job_tells_what_was_answered(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url)
    postman.announce(created(alice))
    postman.deliver()
    (row,) = page(client, alice, made, "?status=succeeded")
    again = client.post(f"{API}/webhooks/{made['id']}/deliveries/{row['id']}/retry", headers=alice.headers)
    job_id = data_of(again, 202)["job_id"]
    postman.work()
    result = postman.job(job_id).result
    assert result is not None
    assert (result["delivered"], result["response_status"], result["response_body"]) == (True, 200, "thanks")
    assert [got.headers["webhook-id"] for got in receiver.got] == [row["event_id"]] * 2
    assert data_of(client.get(f"{API}/jobs/{job_id}", headers=alice.headers))["resource"]["id"] == made["id"]


def test_a_test_event_has_the_form_of_a_real_one_and_is_tried_once(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url, is_active=False)
    body = {"event": "execution.finished", "test_data": {"number": 7}}
    receiver.answers(500)
    sent = data_of(client.post(f"{API}/webhooks/{made['id']}/test", json=body, headers=alice.headers), 202)
    postman.work()
    (got,) = receiver.got
    told = got.verified(made["secret"])
    known = find_type("execution.finished")
    assert known is not None
    jsonschema.validate(told, known.schema)
    assert (told["data"]["number"], got.headers["headrace-test"]) == (7, "true")
    assert postman.job(sent["job_id"]).result == {
        **(postman.job(sent["job_id"]).result or {}),
        "delivered": False,
        "response_status": 500,
    }
    (row,) = page(client, alice, made, "?kind=test")
    assert (row["status"], row["next_attempt_at"]) == ("failed", None)
    assert postman.health(made["id"]).failures == 0


def test_what_was_missed_is_replayed_and_what_was_taken_if_asked(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url)
    path = f"{API}/webhooks/{made['id']}"
    postman.announce(created(alice, "taken"))
    postman.deliver()
    data_of(client.post(f"{path}/deactivate", headers=alice.headers))
    postman.announce(created(alice, "missed"))
    data_of(client.post(f"{path}/activate", headers=alice.headers))
    since = {"since": "2020-01-01T00:00:00Z"}

    def replay(**asked: Any) -> Any:
        job_id = data_of(client.post(f"{path}/replay", json={**since, **asked}, headers=alice.headers), 202)["job_id"]
        postman.work()
        postman.deliver()
        return postman.job(job_id).result

    assert replay(only_missing=True) == {"written": 1, "again": 0}
    assert [got.json["data"]["name"] for got in receiver.got] == ["taken", "missed"]
    assert replay() == {"written": 0, "again": 2}
    assert Counter(got.json["data"]["name"] for got in receiver.got) == {"taken": 2, "missed": 2}
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 2


def test_for_a_day_both_secrets_sign_and_then_the_new_one_alone(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    made = make_webhook(client, alice, receiver.url)
    path = f"{API}/webhooks/{made['id']}/rotate-secret"
    fresh = data_of(client.post(path, json={}, headers=alice.headers))
    postman.announce(created(alice))
    postman.deliver()
    assert fresh["previous_secret_until"] is not None
    assert receiver.got[0].verified(made["secret"]) == receiver.got[0].verified(fresh["secret"])
    newest = data_of(client.post(path, json={"immediately": True}, headers=alice.headers))
    postman.announce(created(alice))
    postman.deliver()
    assert receiver.got[1].verified(newest["secret"])
    with pytest.raises(WebhookVerificationError):
        receiver.got[1].verified(fresh["secret"])


def test_numbers_tell_how_deliveries_have_fared(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman
) -> None:
    receiver.answers(500)
    made = make_webhook(client, alice, receiver.url)
    workspace = new_id()
    postman.announce(created(alice, "shop", workspace), *changes(alice, workspace, 2))
    postman.deliver()
    path = f"{API}/webhooks/{made['id']}/analytics"
    told = data_of(client.get(path, headers=alice.headers))
    assert (told["total_deliveries"], told["successful_deliveries"], told["success_rate"]) == (3, 3, 1.0)
    assert told["by_event"] == {"workspace.created": 1, "workspace.updated": 2}
    assert told["by_status_code"] == {"200": 3, "500": 1}
    assert told["average_response_time"] > 0
    empty = data_of(client.get(f"{path}?start_date=2020-01-01&end_date=2020-01-31", headers=alice.headers))
    assert (empty["total_deliveries"], empty["end_date"]) == (0, "2020-02-01T00:00:00.000Z")
