"""What providers say of mails afterwards: checked who says it, then applied in any order and however often it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.db import Database
from app.kernel.events import EventRecord
from app.notifications.callbacks import Incoming, Said, Unsigned, sendgrid
from app.notifications.models import DEFERRED, Callback, Report
from app.notifications.reporting import apply
from tasks.tools import Tools
from tests.support.identity import Person, data_of, error_of
from tests.support.mail_callbacks import (
    CERTIFICATE,
    CONFIRM,
    TELLERS,
    Request,
    Teller,
    confirmation,
    mailgun,
    sns,
    sns_certificate,
)
from tests.support.mail_services import Service, mail_service
from tests.support.notifications import API, hurry, read, recipients, send, set_providers, web_provider
from tests.support.work import drain

# More than one statement of PostgreSQL has parameters for.
MANY = 8200
ANN, BOB, CAROL = "ann@shop.example", "bob@shop.example", "carol@shop.example"


@dataclass
class Post:
    """A provider of Alice's, and what it sends to its address."""

    client: FlaskClient
    service: Service
    teller: Teller
    path: str

    def tell(self, happened: str, recipient: dict[str, Any], **more: Any) -> Request:
        if self.teller.kind == "ses":
            more["url"] = self.service.url
        return self.teller.tell(happened, recipient["id"], recipient["address"], **more)

    def send(self, request: Request, status: int = 200) -> Any:
        headers = {"Content-Type": "application/json", **request.headers}
        reply = self.client.post(self.path, data=request.body, headers=headers)
        return data_of(reply)["news"] if status == 200 else error_of(reply, status)


def open_post(client: FlaskClient, person: Person, service: Service) -> Post:
    teller = TELLERS[service.kind]
    wanted = web_provider(service.kind, service.url, config={**service.config, **teller.config})
    (shown,) = set_providers(client, person, wanted)
    return Post(client, service, teller, shown["callback_path"])


@pytest.fixture(params=sorted(TELLERS))
def post(
    request: pytest.FixtureRequest, client: FlaskClient, alice: Person, database: Database, tools: Tools
) -> Iterator[Post]:
    with mail_service(request.param) as service:
        made = open_post(client, alice, service)
        if request.param == "ses":
            service.pages |= {CERTIFICATE: sns_certificate(), CONFIRM: b"<ConfirmSubscriptionResponse/>"}
            made.send(confirmation(service.url))
            drain(database, tools)
        yield made


def sent_to(
    client: FlaskClient, person: Person, database: Database, tools: Tools, *addresses: str
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    sent = send(client, person, list(addresses))
    drain(database, tools)
    return sent, {one["address"]: one for one in recipients(client, person, sent)}


def suppressed(client: FlaskClient, person: Person) -> dict[str, str]:
    return {one["address"]: one["reason"] for one in data_of(client.get(f"{API}/suppressions", headers=person.headers))}


def test_what_becomes_of_mails_is_applied_in_any_order(
    client: FlaskClient, alice: Person, post: Post, tools: Tools, database: Database
) -> None:
    sent, to = sent_to(client, alice, database, tools, ANN, BOB, CAROL)
    told = [
        *(post.tell(happened, to[ANN]) for happened in ("clicked", "complained", "delivered", "opened")),
        *(post.tell(happened, to[BOB]) for happened in ("bounced", "delivered")),
        *(post.tell(happened, to[CAROL]) for happened in ("delivered", "deferred")),
    ]
    assert [post.send(one) for one in told] == [1] * len(told)
    fates = {one["address"]: one for one in recipients(client, alice, sent)}
    assert {name: one["status"] for name, one in fates.items()} == {
        ANN: "complained",
        BOB: "bounced",
        CAROL: "delivered",
    }
    assert (fates[BOB]["code"], fates[BOB]["reason"]) == ("BOUNCED", "550 5.1.1 no such user")
    assert all(fates[ANN][name] for name in ("clicked_at", "complained_at", "delivered_at", "opened_at"))
    assert fates[CAROL]["delivered_at"].startswith("2026-01-31T12:00")
    assert suppressed(client, alice) == {ANN: "complained", BOB: "bounced"}
    with database.transaction() as session:
        happened = select(EventRecord.type, EventRecord.data).where(EventRecord.type != "notification.sent")
        events = {(row.type, row.data["address"]) for row in session.execute(happened) if "recipient_id" in row.data}
    assert {("notification.bounced", BOB), ("notification.delivered", CAROL)} <= events
    assert read(client, alice, sent)["status"] == "sent"


def test_what_is_said_twice_counts_once(
    client: FlaskClient, alice: Person, post: Post, tools: Tools, database: Database
) -> None:
    _, to = sent_to(client, alice, database, tools, ANN)
    told = post.tell("opened", to[ANN])
    assert [post.send(told) for _ in range(3)] == [1, 0, 0]
    with database.transaction() as session:
        assert len(session.scalars(select(Report)).all()) == 1


def test_what_the_provider_has_not_signed_is_refused(
    client: FlaskClient, alice: Person, post: Post, tools: Tools, database: Database
) -> None:
    sent, to = sent_to(client, alice, database, tools, ANN)
    good = post.tell("bounced", to[ANN])
    forged = [replace(good, headers={})] if post.teller.kind in ("sendgrid", "postmark") else []
    if post.teller.kind == "postmark":
        forged.append(replace(good, headers={"Authorization": "Basic aGVhZHJhY2U6eA=="}))
        forged.append(replace(good, headers={"Authorization": "Basic \xff"}))
    else:
        key = {"mailgun": "signature", "ses": "Message"}.get(post.teller.kind)
        forged.append(replace(good, body=_changed(good.body, key)))
    for one in forged:
        assert post.send(one, 401)["code"] == "INVALID_CREDENTIALS"
    other = replace(post, path=f"{API}/notifications/callbacks/{to[ANN]['id']}")
    other.send(good, 401)
    assert [one["status"] for one in recipients(client, alice, sent)] == ["sent"]
    assert suppressed(client, alice) == {}


def _changed(body: bytes, key: str | None) -> bytes:
    said = json.loads(body)
    if key == "signature":
        said["signature"]["timestamp"] = str(int(said["signature"]["timestamp"]) - 1)
    elif key:
        said[key] += " "
    return json.dumps(said).encode() + b" "


def test_what_is_no_such_thing_is_refused_and_what_is_of_no_interest_passes(
    client: FlaskClient, alice: Person, charlie: Person, post: Post, tools: Tools, database: Database
) -> None:
    _, to = sent_to(client, alice, database, tools, ANN)
    stranger = {"id": "0198c000-0000-7000-8000-00000000dead", "address": ANN}
    assert post.send(post.tell("bounced", stranger)) == 0
    copied = post.tell("bounced", {**to[ANN], "address": BOB})
    assert post.send(copied) == 1
    assert suppressed(client, alice) == {BOB: "bounced"}
    with mail_service(post.teller.kind) as service:
        service.pages[CERTIFICATE] = sns_certificate()
        other = open_post(client, charlie, service)
        assert other.send(other.tell("bounced", to[ANN])) == 0
        drain(database, tools)
    assert suppressed(client, charlie) == {}
    for body in (b"", b"[]", b"[1]", b"null", b"{", b'{"Type": [], "signature": 5}'):
        reply = client.post(post.path, data=body, headers={"Content-Type": "application/json"})
        assert reply.status_code in (400, 401), body


def test_a_mail_whose_answer_was_lost_is_not_sent_again_once_its_provider_tells_of_it(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("sendgrid") as service:
        post = open_post(client, alice, service)
        service.loses_answers = True
        sent, to = sent_to(client, alice, database, tools, ANN)
        assert (to[ANN]["status"], to[ANN]["code"]) == ("retrying", "OUTCOME_UNKNOWN")
        assert post.send(post.tell("delivered", to[ANN])) == 1
        hurry(database)
        drain(database, tools)
        assert len(service.mails) == 1
    told = read(client, alice, sent)
    assert (told["status"], told["recipient_counts"]) == ("sent", {"delivered": 1})
    assert [one["status"] for one in told["delivery_attempts"]] == ["success"]


def test_a_token_of_mailgun_lets_one_event_in_and_an_old_one_none(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("mailgun") as service:
        post = open_post(client, alice, service)
        _, to = sent_to(client, alice, database, tools, ANN)
        first, second = post.tell("opened", to[ANN]), post.tell("bounced", to[ANN])
        assert post.send(first) == 1
        reused = {**json.loads(second.body), "signature": json.loads(first.body)["signature"]}
        assert post.send(Request(json.dumps(reused).encode())) == 0
        post.send(mailgun("bounced", to[ANN]["id"], ANN, stamp=1_700_000_000), 401)
    assert suppressed(client, alice) == {}


def test_sns_is_answered_and_its_certificate_is_fetched_once_and_from_amazon_alone(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("ses") as service:
        service.pages |= {CERTIFICATE: sns_certificate(), CONFIRM: b"ok"}
        post = open_post(client, alice, service)
        _, to = sent_to(client, alice, database, tools, ANN, BOB)
        assert [post.send(post.tell("delivered", to[ANN])) for _ in range(2)] == [0, 0]
        post.send(confirmation(service.url))
        drain(database, tools)
        assert [one.partition("?")[0] for one in service.visited] == [CERTIFICATE, CERTIFICATE, CERTIFICATE, CONFIRM]
        assert post.send(post.tell("bounced", to[BOB])) == 1
        said = {"Type": "Notification", "Message": "{}"}
        for url in ("https://evil.example", "https://sns.eu-central-1.amazonaws.com"):
            post.send(sns(said, url), 401)
        # Whatever Amazon says at other addresses, others may have had it say.
        for path in ("/?Action=GetTopicAttributes", f"{CERTIFICATE}?Action=GetTopicAttributes", "/x?y=.pem", "/"):
            post.send(sns({**said, "SigningCertURL": service.url + path}, service.url), 401)
        post.send(sns({**said, "TopicArn": "arn:aws:sns:eu-central-1:999999999999:mails"}, service.url), 401)
    sent_for = data_of(client.get(f"{API}/notifications", headers=alice.headers))[0]
    fates = {one["address"]: one["status"] for one in recipients(client, alice, sent_for)}
    assert fates == {ANN: "delivered", BOB: "bounced"}


def test_a_certificate_that_signed_nothing_of_this_lets_the_request_go(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("ses") as service:
        service.pages[CERTIFICATE] = b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
        post = open_post(client, alice, service)
        sent, to = sent_to(client, alice, database, tools, ANN)
        post.send(post.tell("bounced", to[ANN]))
        drain(database, tools)
    assert [one["status"] for one in recipients(client, alice, sent)] == ["sent"]
    with database.transaction() as session:
        assert session.scalars(select(Callback)).all() == []


def test_a_signature_that_sendgrid_publishes_is_recognized() -> None:
    """The example of the tests of its own library (sendgrid/eventwebhook 7.2)."""
    key = (
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceE"
        "u/1FwCM/QmGUhA=="
    )
    signature = "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIgJTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0="
    body = b'{"category":"example_payload","event":"test_event","message_id":"message_id"}'
    headers = {sendgrid.SIGNATURE: signature, sendgrid.TIMESTAMP: "1588788367"}
    assert sendgrid.verify({"verification_key": key}, Incoming(headers, body, 0.0)) is None
    with pytest.raises(Unsigned):
        sendgrid.verify({"verification_key": key}, Incoming(headers, body + b" ", 0.0))


def test_thousands_of_events_come_in_one_request(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("sendgrid") as service:
        open_post(client, alice, service)
        _, to = sent_to(client, alice, database, tools, ANN)
    said = [Said(DEFERRED, f"{number}", ANN, mail_id=UUID(to[ANN]["id"])) for number in range(MANY)]
    with database.transaction() as session:
        owner = {"organization_id": alice.organization_id}
        assert apply(session, owner, "default", said) == MANY
        assert apply(session, owner, "default", said[:2]) == 0


def test_a_key_that_is_none_is_refused_by_its_name(client: FlaskClient, alice: Person) -> None:
    for config, field in (
        ({"verification_key": "bm9uZQ=="}, "verification_key"),
        ({"signing_key": "x"}, "signing_key"),
    ):
        wanted = web_provider("sendgrid", "https://api.sendgrid.com", config={"api_key": "k", **config})
        reply = client.put(f"{API}/clients/email-providers", json={"providers": [wanted]}, headers=alice.headers)
        assert error_of(reply, 422)["errors"][0]["field"] == f"providers.0.provider_config.{field}"


def test_what_a_provider_signs_with_never_comes_back_and_is_kept(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("mailgun") as service:
        post = open_post(client, alice, service)
        kept = web_provider("mailgun", service.url, config={"domain": service.config["domain"]}, weight=5)
        (shown,) = set_providers(client, alice, kept)
        assert "signing" not in str(shown["config"])
        _, to = sent_to(client, alice, database, tools, ANN)
        assert post.send(post.tell("opened", to[ANN])) == 1
