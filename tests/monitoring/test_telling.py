"""Whom alerts are told to: by mail, by a webhook and in a room, once for all that are told together, and what came of
each is in their stories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient

from app.kernel.db import Database
from app.kernel.ids import new_id
from tasks.tools import Tools
from tests.monitoring.test_alerts import alerts, make_rule
from tests.support.alerts import Watcher
from tests.support.clients import make_client, make_user
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox
from tests.support.metrics import get
from tests.support.notifications import provider, set_providers
from tests.support.receivers import Receiver
from tests.support.rooms import listed, make_room
from tests.support.webhooks import Postman, make_webhook
from tests.support.work import drain, make_runtime

RULES = "/api/v1/alert-rules"
TEAM = {"kind": "email", "to": "team@shop.example"}


def attempts(client: FlaskClient, person: Person, alert: dict[str, Any]) -> list[dict[str, Any]]:
    told = get(client, person, f"/alerts/{alert['id']}")
    return [step["detail"] for step in told["story"] if step["step"] == "attempted"]


def refuse(client: FlaskClient, person: Person, *routes: dict[str, str], status: int = 422) -> dict[str, Any]:
    body = {"name": "much", "query": "m", "threshold": 10, "routes": list(routes)}
    return error_of(client.post(RULES, json=body, headers=person.headers), status)


def test_alerts_that_are_told_together_are_one_mail_and_the_story_has_each_attempt(
    client: FlaskClient,
    alice: Person,
    watcher: Watcher,
    push: Callable[..., None],
    inbox: Inbox,
    tools: Tools,
    database: Database,
) -> None:
    set_providers(client, alice, provider(inbox))
    make_rule(client, alice, title="{{pod}} has much\r\nBcc: eve@shop.example", severity="critical", routes=[TEAM])
    push(50.0, pod="web")
    push(60.0, pod="db")
    watcher.look()
    first, _ = alerts(client, alice)
    (waiting,) = attempts(client, alice, first)
    assert (waiting["outcome"], waiting["delivery"]["status"]) == ("handed_over", "pending")
    drain(database, tools)
    (mail,) = inbox.mails
    assert (mail["To"], mail["Bcc"]) == ("team@shop.example", None)
    assert mail["Subject"].startswith("[FIRING 2] ")
    assert "and 1 more" in mail["Subject"]
    assert "web has much  Bcc: eve@shop.example (firing, critical)" in mail.get_content()
    for alert in alerts(client, alice):
        (attempt,) = attempts(client, alice, alert)
        assert attempt["route"] == TEAM
        assert attempt["delivery"]["status"] == "sent"
        (tried,) = attempt["delivery"]["attempts"]
        assert (tried["status"], tried["provider_name"], tried["provider_response"][:3]) == (
            "success",
            "default",
            "250",
        )
    push(1.0, pod="web")
    push(1.0, pod="db")
    watcher.look()
    drain(database, tools)
    assert inbox.mails[1]["Subject"].startswith("[RESOLVED 2] ")
    assert len(attempts(client, alice, first)) == 2


def test_a_webhook_is_told_signed(
    client: FlaskClient,
    alice: Person,
    watcher: Watcher,
    push: Callable[..., None],
    receiver: Receiver,
    postman: Postman,
) -> None:
    hook = make_webhook(client, alice, receiver.url, events=["notification.message"])
    make_rule(client, alice, routes=[{"kind": "webhook", "to": hook["id"]}])
    push(50.0)
    watcher.look()
    (waiting,) = attempts(client, alice, alerts(client, alice)[0])
    job_id = get(client, alice, f"/notifications/{waiting['notification_id']}")["job_id"]
    make_runtime(postman.database, postman.tools).run_job(UUID(job_id))
    postman.deliver()
    (got,) = receiver.got
    told = got.verified(hook["secret"])
    (alert,) = alerts(client, alice)
    assert (told["data"]["title"], told["data"]["meta"]) == (
        "[FIRING 1] much",
        {"event": "alert.triggered", "alert_ids": [alert["id"]]},
    )
    (attempt,) = attempts(client, alice, alert)
    assert attempt["delivery"]["status"] in ("sent", "delivered")


def test_a_room_is_told_that_listens_to_the_organization_and_no_other(
    client: FlaskClient, alice: Person, watcher: Watcher, push: Callable[..., None]
) -> None:
    shop = make_client(client)
    ann = make_user(client, shop, permissions=["manage_rooms", "read_messages"])
    room, deaf = (
        make_room(client, ann, alerts_from=heard) for heard in ([str(alice.organization_id)], [str(new_id())])
    )
    for other in (deaf, str(new_id()), "no id"):
        assert refuse(client, alice, {"kind": "room", "to": other})["errors"][0]["field"] == "routes.0.to"
    make_rule(client, alice, routes=[{"kind": "room", "to": one} for one in (room, room.upper())])
    push(50.0)
    watcher.look()
    (alert,) = alerts(client, alice)
    (message,) = listed(client, ann, room)
    assert (message["message_type"], message["content"].splitlines()[0]) == ("system", "much (firing, warning)")
    assert message["meta"] == {
        "event": "alert.triggered",
        "data": {"event": "alert.triggered", "alert_ids": [alert["id"]]},
    }
    (attempt,) = attempts(client, alice, alert)
    assert (attempt["outcome"], attempt["message_id"]) == ("handed_over", message["id"])
    client.patch(f"/api/v1/rooms/{room}", json={"alerts_from": []}, headers=ann.headers)
    push(1.0)
    watcher.look()
    assert attempts(client, alice, alert)[1]["code"] == "RESOURCE_NOT_FOUND"
    assert len(listed(client, ann, room)) == 1


def test_to_whom_an_alert_was_told_it_is_over_when_its_rule_is_deleted(
    client: FlaskClient, alice: Person, watcher: Watcher, push: Callable[..., None]
) -> None:
    ann = make_user(client, make_client(client), permissions=["manage_rooms", "read_messages"])
    room = make_room(client, ann, alerts_from=[str(alice.organization_id)])
    rule = make_rule(client, alice, routes=[{"kind": "room", "to": room}])
    push(50.0)
    watcher.look()
    assert client.delete(f"{RULES}/{rule['id']}", headers=alice.headers).status_code == 204
    watcher.tell()
    told = [message["content"].splitlines()[0] for message in listed(client, ann, room)]
    assert sorted(told) == ["much (firing, warning)", "much (resolved)"]
    (alert,) = alerts(client, alice)
    assert [one["outcome"] for one in attempts(client, alice, alert)] == ["handed_over", "handed_over"]


def test_a_route_that_cannot_be_taken_says_why_and_keeps_no_other_from_being_taken(
    client: FlaskClient, alice: Person, watcher: Watcher, push: Callable[..., None], receiver: Receiver
) -> None:
    hook = make_webhook(client, alice, receiver.url)
    make_rule(client, alice, routes=[TEAM, {"kind": "webhook", "to": hook["id"]}])
    push(50.0)
    watcher.look()
    (alert,) = alerts(client, alice)
    refused, taken = attempts(client, alice, alert)
    assert (refused["outcome"], refused["route"]) == ("refused", TEAM)
    assert "provider" in refused["reason"].lower()
    assert taken["outcome"] == "handed_over"


def test_routes_that_lead_nowhere_or_to_others_are_refused(
    client: FlaskClient, alice: Person, charlie: Person, receiver: Receiver
) -> None:
    foreign = make_webhook(client, charlie, receiver.url)
    for route in (
        {"kind": "email", "to": "team@shop.example\nBcc: eve@shop.example"},
        {"kind": "webhook", "to": foreign["id"]},
        {"kind": "webhook", "to": "no id"},
    ):
        assert refuse(client, alice, TEAM, route)["errors"][0]["field"] == "routes.1.to"


def test_who_may_not_send_for_the_organization_writes_rules_without_routes(client: FlaskClient, alice: Person) -> None:
    key = {"name": "rules", "scopes": ["alerts:write", "alerts:read"]}
    made = data_of(client.post("/api/v1/api-keys", json=key, headers=alice.headers), 201)
    headers = {"X-API-Key": made["key"]}
    body = {"name": "much", "query": "m", "threshold": 10}
    error = error_of(client.post(RULES, json={**body, "routes": [TEAM]}, headers=headers), 403)
    assert error["details"]["required_permission"] == "notifications:write"
    rule = data_of(client.post(RULES, json=body, headers=headers), 201)
    change = client.patch(f"{RULES}/{rule['id']}", json={"routes": [TEAM]}, headers=headers)
    assert error_of(change, 403)["code"] == "INSUFFICIENT_PERMISSIONS"
    whole = client.put(f"{RULES}/{rule['id']}", json={**body, "threshold": 5}, headers=headers)
    assert data_of(whole)["threshold"] == 5
