"""Providers of an owner: what they are told, what becomes of their secrets, and what happens where one loses an answer,
fails again and again, or lets only so many mails go."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.kernel.clock import database_now, sql_seconds, utc_now
from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.notifications.choosing import Choice, order_providers
from app.notifications.models import EmailProvider
from app.notifications.providers import take_slots
from tasks.tools import Tools
from tests.support.identity import Person, data_of, error_of
from tests.support.mail import Inbox
from tests.support.mail_services import KEY, KINDS, mail_service
from tests.support.notifications import (
    API,
    SERVER,
    hurry,
    provider,
    read,
    recipients,
    send,
    set_providers,
    web_provider,
)
from tests.support.work import drain

PROVIDERS = f"{API}/clients/email-providers"


def refuse(client: FlaskClient, person: Person, *wanted: Any) -> list[str]:
    refused = error_of(client.put(PROVIDERS, json={"providers": list(wanted)}, headers=person.headers), 422)
    return sorted(fault["field"] for fault in refused["errors"])


def test_each_kind_sends_and_its_key_never_comes_back(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    for kind in KINDS:
        with mail_service(kind) as service:
            (shown,) = set_providers(client, alice, web_provider(kind, service.url, config=service.config))
            assert KEY not in str(shown)
            sent = send(client, alice)
            drain(database, tools)
        told = read(client, alice, sent)
        assert (told["status"], len(service.mails)) == ("sent", 1)
        assert KEY not in str(told)


def test_an_answer_that_is_lost_is_asked_for_before_the_mail_is_sent_again(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    with mail_service("postmark") as service:
        set_providers(client, alice, web_provider("postmark", service.url, config=service.config))
        service.loses_answers = True
        sent = send(client, alice)
        drain(database, tools)
        (waiting,) = recipients(client, alice, sent)
        assert (waiting["status"], waiting["code"]) == ("retrying", "OUTCOME_UNKNOWN")
        hurry(database)
        drain(database, tools)
    assert len(service.mails) == 1
    told = read(client, alice, sent)
    assert (told["status"], [one["status"] for one in told["delivery_attempts"]]) == ("sent", ["success"])
    (reached,) = recipients(client, alice, sent)
    assert (reached["provider_message_id"], reached["code"]) == ("0198", None)


def test_where_nobody_can_be_asked_it_is_sent_again_and_counted(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    inbox.loses_answers = True
    sent = send(client, alice)
    drain(database, tools)
    inbox.loses_answers = False
    hurry(database)
    drain(database, tools)
    assert len({mail["Message-ID"] for mail in inbox.mails}) == 1
    assert sorted(one["status"] for one in read(client, alice, sent)["delivery_attempts"]) == ["success", "unknown"]


def test_while_all_are_left_alone_nothing_is_tried_and_the_reason_is_told(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox))
    with database.transaction() as session:
        later = database_now() + sql_seconds(300)
        session.execute(update(EmailProvider).values(open_until=later, failures=5))
    sent = send(client, alice, max_retry_attempts=0)
    drain(database, tools)
    (given_up,) = recipients(client, alice, sent)
    assert (given_up["status"], given_up["code"]) == ("failed", "PROVIDER_UNAVAILABLE")
    assert (read(client, alice, sent)["delivery_attempts"], inbox.mails) == ([], [])


def test_a_secret_is_kept_while_it_goes_where_it_went(
    client: FlaskClient, alice: Person, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, SERVER)
    config = {name: value for name, value in SERVER["provider_config"].items() if name != "password"}
    data_of(client.put(PROVIDERS, json={**SERVER, "provider_config": config, "weight": 5}, headers=alice.headers))
    with database.transaction() as session:
        row = session.execute(select(EmailProvider.id, EmailProvider.credentials, EmailProvider.weight)).one()
    assert row.weight == 5
    assert b"canary-of-the-world" in tools.vault.decrypt(row.credentials, f"email_provider:{row.id}")
    for moved in ({"host": "evil.example.com"}, {"port": 25}, {"security": "none"}, {"username": "eve"}):
        assert refuse(client, alice, {**SERVER, "provider_config": {**config, **moved}}) == [
            "providers.0.provider_config.password"
        ]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"provider_type": "pigeon"}, "provider_type"),
        ({"provider_type": "smtp"}, "host"),
        ({"provider_type": "smtp", "host": "a\r\nb"}, "host"),
        ({"provider_type": "smtp", "host": "mail.example.com", "port": 0}, "port"),
        ({"provider_type": "smtp", "host": "mail.example.com", "api_key": "k"}, "api_key"),
        ({"provider_type": "smtp", "host": "mail.example.com", "security": "none", "password": "p"}, "security"),
        ({"provider_type": "smtp", "host": "mail.example.com", "use_tls": False, "password": "p"}, "security"),
        ({"provider_type": "sendgrid"}, "api_key"),
        ({"provider_type": "sendgrid", "api_key": "k\r\nX: y"}, "api_key"),
        ({"provider_type": "sendgrid", "api_key": "k", "base_url": "file:///etc/passwd"}, "base_url"),
        ({"provider_type": "mailgun", "api_key": "k"}, "domain"),
        ({"provider_type": "mailgun", "api_key": "k", "domain": "a/../b"}, "domain"),
        ({"provider_type": "mailgun", "api_key": "k", "domain": "shop.example", "region": "mars"}, "region"),
        ({"provider_type": "postmark"}, "server_token"),
        ({"provider_type": "ses", "aws_secret_access_key": "k"}, "aws_access_key_id"),
        (
            {
                "provider_type": "ses",
                "aws_access_key_id": "i",
                "aws_secret_access_key": "k",
                "region": "x.evil.example",
            },
            "region",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_their_name(
    client: FlaskClient, alice: Person, config: dict[str, Any], field: str
) -> None:
    wanted = {"provider_config": config, "default_from_email": "shop@shop.example"}
    assert refuse(client, alice, wanted) == [f"providers.0.provider_config.{field}"]


def test_two_of_one_name_and_eleven_are_refused(client: FlaskClient, alice: Person) -> None:
    assert refuse(client, alice, SERVER, SERVER) == ["providers"]
    assert refuse(client, alice, *({**SERVER, "name": f"p{nth}"} for nth in range(11))) == ["providers"]


def test_those_that_are_not_named_any_more_go(client: FlaskClient, alice: Person) -> None:
    set_providers(client, alice, SERVER, {**SERVER, "name": "other"})
    assert [one["name"] for one in data_of(client.get(PROVIDERS, headers=alice.headers))] == ["default", "other"]
    assert set_providers(client, alice) == []


def test_mails_to_one_and_mails_to_many_go_by_those_that_are_meant_for_them(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, provider(inbox, "desk", is_bulk=False), provider(inbox, "mill", is_primary=False))
    sent = [send(client, alice, to) for to in ("ann@shop.example", ["ann@shop.example", "bob@shop.example"])]
    drain(database, tools)
    attempts = [read(client, alice, one)["delivery_attempts"] for one in sent]
    assert [{one["provider_name"] for one in some} for some in attempts] == [{"desk"}, {"mill"}]


def test_of_two_the_heavier_is_drawn_more_often() -> None:
    same: dict[str, Any] = {"is_primary": True, "is_bulk": True, "failures": 0, "open_until": None}
    light, heavy = (Choice(id=UUID(int=weight), name=str(weight), weight=weight, **same) for weight in (1, 9))
    firsts = [order_providers([light, heavy], utc_now(), is_bulk=False)[0] for _ in range(1000)]
    assert 800 < firsts.count(heavy.id) < 980


def test_a_rate_is_kept_by_all_jobs_together(client: FlaskClient, alice: Person, database: Database) -> None:
    (shown,) = set_providers(client, alice, {**SERVER, "rate_limit_per_second": 2})
    with database.transaction() as session:
        pauses = [pause for count in (1, 3) for pause in take_slots(session, UUID(shown["id"]), count)]
    assert pauses[0] == 0.0
    assert pauses[1:] == pytest.approx([0.5, 1.0, 1.5], abs=0.4)
    assert pauses == sorted(pauses)


def test_what_is_sealed_opens_for_the_platform_alone(client: FlaskClient, alice: Person, database: Database) -> None:
    set_providers(client, alice, SERVER)
    with database.transaction() as session:
        count = session.scalar(select(func.count()).select_from(EmailProvider))
        sealed = session.execute(select(EmailProvider.credentials)).scalar_one()
    assert count == 1
    assert b"canary" not in sealed
    with pytest.raises(Exception, match="SECRET_KEY"):
        Vault("x" * 32).decrypt(sealed, "email_provider")
