"""Webhooks: made, changed and refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.db import Database
from app.webhooks.models import Webhook
from tests.support.clients import make_client, make_user
from tests.support.identity import Person, data_of, error_of, join, make_person
from tests.support.receivers import Receiver
from tests.support.webhooks import API, Postman, created, make_webhook

URL = "https://shop.example.com/hook"
OWN = "whsec_" + base64.b64encode(b"k" * 32).decode()


def refuse(client: FlaskClient, person: Any, **fields: Any) -> dict[str, Any]:
    body = {"url": URL, "events": ["*"], **fields}
    return error_of(client.post(f"{API}/webhooks", json=body, headers=person.headers), 422)


def test_a_webhook_is_made_read_changed_and_deleted(client: FlaskClient, alice: Person) -> None:
    made = make_webhook(client, alice, URL, custom_headers={"X-Env": "test"}, meta={"team": "a"}, secret=OWN)
    assert (made["secret"], made["state"], made["ordering"]) == (OWN, "active", "none")
    path = f"{API}/webhooks/{made['id']}"
    reply = client.get(path, headers=alice.headers)
    shown = data_of(reply)
    assert "secret" not in shown
    assert (shown["custom_headers"], shown["health"]["failures"]) == ({"X-Env": "test"}, 0)
    changed = client.patch(path, json={"events": ["cluster.*"]}, headers=alice.headers | {"If-Match": "W/x"})
    assert error_of(changed, 412)["code"] == "PRECONDITION_FAILED"
    changed = data_of(client.patch(path, json={"events": ["cluster.*"], "is_active": False}, headers=alice.headers))
    assert (changed["events"], changed["state"], changed["meta"]) == (["cluster.*"], "inactive", {"team": "a"})
    replaced = data_of(client.put(path, json={"url": URL, "events": ["*"]}, headers=alice.headers))
    assert (replaced["events"], replaced["meta"], replaced["state"]) == (["*"], {}, "inactive")
    assert [one["id"] for one in data_of(client.get(f"{API}/webhooks?state=inactive", headers=alice.headers))] == [
        made["id"]
    ]
    assert client.delete(path, headers=alice.headers).status_code == 204
    error_of(client.get(path, headers=alice.headers), 404)


def test_who_may_not_change_a_webhook_sees_of_its_headers_the_names_alone(client: FlaskClient, alice: Person) -> None:
    made = make_webhook(client, alice, URL, custom_headers={"X-Api-Key": "canary"})
    body = {"name": "reader", "scopes": ["webhooks:read"]}
    reader = {"X-API-Key": data_of(client.post(f"{API}/api-keys", json=body, headers=alice.headers), 201)["key"]}
    shown = data_of(client.get(f"{API}/webhooks/{made['id']}", headers=reader))
    assert shown["custom_headers"] == {"X-Api-Key": "(hidden)"}


def test_a_secret_is_made_where_none_is_given_and_sealed(
    client: FlaskClient, alice: Person, database: Database
) -> None:
    made = make_webhook(client, alice, URL, custom_headers={"X-Env": "canary"})
    assert made["secret"].startswith("whsec_")
    with database.transaction() as session:
        row = session.execute(select(Webhook.secret, Webhook.custom_headers)).one()
    assert made["secret"].encode() not in row.secret
    assert b"canary" not in row.custom_headers


def test_rooms_are_filtered_by_either_name(client: FlaskClient) -> None:
    shop = make_client(client)
    room = "0198c000-0000-7000-8000-000000000001"
    made = make_webhook(client, shop, URL, events=["message.created"], room_filters=[room])
    assert made["resource_filters"] == {"room_id": [room]}


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com/hook",
        "https://169.254.169.254/latest",
        "https://[::ffff:127.0.0.1]/hook",
        "http://[::ffff:127.0.0.1]",
        "https://[::1]/",
        "https://127.1/",
        "https://0x7f000001/",
        "https://10.1.2.3/hook",
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::1]/",
        "https://localhost/hook",
        "https://metadata.google.internal/",
        "https://shop.example.com:22/hook",
        "https://shop.example.com:6379/hook",
        "https://user:secret@shop.example.com/",
        "https://shop.example.com/#part",
        "https://shop.example.com:99999/",
        "https:///hook",
        "ftp://shop.example.com/hook",
        "https://shop.example.com/a b",
        "https://shop.example.com/a\r\nX-Evil: 1",
        "https://[::1",
        "",
        "x" * 3000,
    ],
)
def test_addresses_that_must_not_be_told_are_refused(client: FlaskClient, alice: Person, url: str) -> None:
    faults = refuse(client, alice, url=url)["errors"]
    assert [fault["field"] for fault in faults] == ["url"]


def test_a_change_to_such_an_address_is_refused_too(client: FlaskClient, alice: Person) -> None:
    made = make_webhook(client, alice, URL)
    body = {"url": "https://169.254.169.254/"}
    error_of(client.patch(f"{API}/webhooks/{made['id']}", json=body, headers=alice.headers), 422)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "x"},
        {"Host": "x"},
        {"user-agent": "x"},
        {"Content-Length": "1"},
        {"webhook-signature": "x"},
        {"Proxy-Authorization": "x"},
        {"X-Evil\r\nX-More": "x"},
        {"X-Evil": "a\r\nX-More: b"},
        {"X-Evil": "ä"},
        {"": "x"},
        {"X-Evil": "x" * 2000},
        {"X-One": "1", "x-one": "2"},
        {f"X-{nth}": "1" for nth in range(30)},
    ],
)
def test_headers_that_must_not_be_set_are_refused(client: FlaskClient, alice: Person, headers: dict[str, str]) -> None:
    assert refuse(client, alice, custom_headers=headers)["errors"][0]["field"].startswith("custom_headers")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("events", []),
        ("events", ["mill.turned"]),
        ("events", ["cluster.exploded"]),
        ("events", ["cluster.created\n"]),
        ("events", ["**"]),
        ("secret", "short"),
        ("secret", "whsec_" + base64.b64encode(b"k" * 8).decode()),
        ("secret", "whsec_" + base64.b64encode(b"k" * 65).decode()),
        ("secret", "not base64 at all, but long enough to be one"),
        ("ordering", "alphabetical"),
        ("concurrency", 0),
        ("concurrency", 1000),
        ("resource_filters", {"Workspace": ["0198c000-0000-7000-8000-000000000001"]}),
        ("resource_filters", {"workspace_id": ["x"]}),
        ("meta", {str(nth): nth for nth in range(100)}),
        ("color", "red"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(client: FlaskClient, alice: Person, field: str, value: Any) -> None:
    assert refuse(client, alice, **{field: value})["errors"][0]["field"].split(".")[0] == field


def test_a_test_of_what_does_not_exist_is_refused(client: FlaskClient, alice: Person) -> None:
    path = f"{API}/webhooks/{make_webhook(client, alice, URL)['id']}/test"

    def fault(**body: Any) -> str:
        refused = error_of(client.post(path, json=body, headers=alice.headers), 422)
        return str(refused["errors"][0]["field"])

    assert fault(event="mill.turned") == "event"
    assert fault(event="cluster.created", test_data={"color": "red"}) == "test_data.color"
    assert fault(event="cluster.created", test_data={"name": 5}) == "test_data.name"


def test_a_replay_of_no_time_is_refused(client: FlaskClient, alice: Person) -> None:
    path = f"{API}/webhooks/{make_webhook(client, alice, URL)['id']}/replay"
    body = {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert error_of(client.post(path, json=body, headers=alice.headers), 422)["errors"][0]["field"] == "until"


def test_what_is_on_cannot_be_turned_on_and_the_other_way_round(client: FlaskClient, alice: Person) -> None:
    path = f"{API}/webhooks/{make_webhook(client, alice, URL)['id']}"
    assert error_of(client.post(f"{path}/activate", headers=alice.headers), 409)["code"] == "INVALID_STATE"
    data_of(client.post(f"{path}/deactivate", headers=alice.headers))
    assert error_of(client.post(f"{path}/deactivate", headers=alice.headers), 409)["code"] == "INVALID_STATE"


def test_nobody_else_sees_it(
    app: Flask, client: FlaskClient, alice: Person, charlie: Person, database: Database
) -> None:
    made = make_webhook(client, alice, URL)
    shop = make_client(client)
    ann = make_user(client, shop)
    bob = make_person(app, database, "bob")
    join(database, bob, alice.organization_id, "member")
    for stranger in (charlie, shop, bob):
        error_of(client.get(f"{API}/webhooks/{made['id']}", headers=stranger.headers), 404)
        assert data_of(client.get(f"{API}/webhooks", headers=stranger.headers)) == []
    body = {"url": URL, "events": ["*"]}
    assert error_of(client.post(f"{API}/webhooks", json=body, headers=ann.headers), 403)["details"] == {
        "required_permission": "webhooks:write"
    }
    theirs = body | {"organization_id": str(alice.organization_id)}
    for stranger in (charlie, shop):
        error_of(client.post(f"{API}/webhooks", json=theirs, headers=stranger.headers), 404)
    other = make_webhook(client, charlie, URL)
    sent = client.post(f"{API}/webhooks/{other['id']}/test", json={"event": "cluster.created"}, headers=charlie.headers)
    error_of(
        client.get(f"{API}/webhooks/{made['id']}/deliveries/{data_of(sent, 202)['id']}", headers=alice.headers), 404
    )


def test_a_delivery_that_was_allowed_once_is_not_made_once_it_is_not(
    client: FlaskClient, alice: Person, receiver: Receiver, postman: Postman, settings: Any, tmp_path: Any
) -> None:
    """The rules are asked at each request, of the address that is connected to."""
    made = make_webhook(client, alice, receiver.url)
    strict = Postman.of(postman.database, settings, tmp_path, webhook_ports="443")
    strict.announce(created(alice))
    strict.turn()
    (one,) = postman.deliveries(made["id"])
    assert (one.last_code, receiver.got) == ("DESTINATION_REFUSED", [])
