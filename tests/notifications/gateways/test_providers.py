"""Providers of mail under one contract: SMTP against a real mail server with TLS and logins, the others against local
servers that speak the API which SendGrid, Mailgun, Postmark and SES document."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.kernel.addresses import AddressRules
from app.kernel.errors import Permanent, Transient
from app.notifications import Opened
from app.notifications.models import KINDS
from tasks.notifications.gateways import (
    Attachment,
    LoginRefused,
    Mail,
    MailError,
    MailRefused,
    OutcomeUnknown,
    Provider,
    ProviderAway,
    Server,
    SmtpProvider,
    open_provider,
)
from tests.support.mail import PASSWORD, USER, Inbox, smtp_server
from tests.support.mail_services import Service, Taken, mail_service, read_mail

HERE = AddressRules(allow_private=True, allow_loopback=True)
MAIL = Mail(
    id="0198c000-0000-7000-8000-000000000001",
    sender="shop@shop.example",
    sender_name="The Shop",
    recipient="ann@shop.example",
    subject="Grüße, Ann",
    text="Hello Ünïcode\n.\nand on\n",
    html="<p>Hello</p>\n",
    reply_to="help@shop.example",
    cc=("carol@shop.example",),
    bcc=("boss@shop.example",),
    unsubscribe="https://shop.example/u/1",
)


@dataclass
class Case:
    """A provider, what stands behind it, and how to have that refuse or put off the next mail."""

    provider: Provider
    wrong: Provider
    behind: Any
    refusing: Any
    passing: Any

    @property
    def mails(self) -> list[Taken]:
        """What arrived."""
        if isinstance(self.behind, Service):
            return self.behind.mails
        return [read_mail(mail, to) for mail, to in zip(self.behind.mails, self.behind.recipients, strict=True)]


REFUSING = {
    "sendgrid": (400, {"errors": [{"message": "The from address is wrong", "field": "from"}]}),
    "mailgun": (400, {"message": "to parameter is not a valid address"}),
    "postmark": (422, {"ErrorCode": 406, "Message": "You tried to send to a recipient that is inactive"}),
    "ses": (400, {"__type": "MessageRejected", "message": "Email address is not verified"}),
    "smtp": "550 5.7.1 no",
    "smtps": "550 5.7.1 no",
}
PASSING = {
    "sendgrid": (429, {"errors": [{"message": "too many requests"}]}),
    "mailgun": (503, {"message": "later"}),
    "postmark": (500, {"ErrorCode": 101, "Message": "later"}),
    "ses": (400, {"__type": "com.amazonaws#LimitExceededException", "message": "later"}),
    "smtp": "451 4.3.0 later",
    "smtps": "451 4.3.0 later",
}


@pytest.fixture(params=[*KINDS, "smtps"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    kind = request.param
    with ExitStack() as stack:
        behind: Any
        if kind in ("smtp", "smtps"):
            behind = stack.enter_context(smtp_server(tmp_path, wrapped=kind == "smtps"))
            security = "tls" if kind == "smtps" else "starttls"
            pair = smtp(behind, security=security), smtp(behind, password="another", security=security)
        else:
            behind = stack.enter_context(mail_service(kind))
            pair = web(behind), web(behind, wrong=True)
        provider, wrong = (stack.enter_context(one) for one in pair)
        yield Case(provider, wrong, behind, REFUSING[kind], PASSING[kind])


def smtp(inbox: Inbox, password: str = PASSWORD, **changed: Any) -> SmtpProvider:
    trusted = ssl.create_default_context(cafile=str(inbox.certificate))
    server = Server("localhost", inbox.port, "starttls", USER, password)
    return SmtpProvider(replace(server, **changed), HERE, trusted)


def web(service: Service, *, wrong: bool = False, rules: AddressRules = HERE) -> Provider:
    secrets = ("api_key", "server_token", "aws_secret_access_key")
    changed = {name: "another" for name in secrets if wrong and name in service.config}
    settings = {**service.config, **changed, "base_url": service.url}
    return open_provider(Opened(UUID(int=1), "main", service.kind, settings, "shop@shop.example", None, 10), rules)


def test_a_mail_arrives_as_it_was_written(case: Case) -> None:
    receipt = case.provider.send(MAIL)
    (taken,) = case.mails
    assert taken.sender in ("The Shop <shop@shop.example>", '"The Shop" <shop@shop.example>')
    assert (taken.to, taken.cc, taken.bcc) == ([MAIL.recipient], [*MAIL.cc], [*MAIL.bcc])
    assert (taken.subject, taken.text, taken.html) == (MAIL.subject, MAIL.text, MAIL.html)
    assert taken.reply_to == MAIL.reply_to
    assert taken.headers["Message-ID"] == f"<{MAIL.id}@shop.example>"
    assert taken.headers["List-Unsubscribe"] == "<https://shop.example/u/1>"
    assert taken.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "Bcc" not in taken.headers
    assert receipt.response


def test_one_that_has_only_text_or_only_html_arrives_too(case: Case) -> None:
    plain = replace(MAIL, html=None, cc=(), bcc=(), reply_to=None, unsubscribe=None, sender_name=None)
    case.provider.send(plain)
    case.provider.send(replace(plain, text=None, html="<p>Hello</p>\n"))
    first, second = case.mails
    assert (first.text, first.html, first.sender) == (MAIL.text, None, "shop@shop.example")
    assert (second.text, second.html) == (None, "<p>Hello</p>\n")
    assert "List-Unsubscribe" not in first.headers


def test_what_it_carries_arrives_byte_for_byte(case: Case) -> None:
    files = (
        Attachment("Rechnung März.pdf", "application/pdf", bytes(range(256)) * 40),
        Attachment("notes.txt", "text/plain", "Grüße\n.\n..\r\nend".encode()),
    )
    case.provider.send(replace(MAIL, attachments=files))
    (taken,) = case.mails
    assert taken.attachments == tuple((one.filename, one.content_type, one.content) for one in files)
    assert (taken.text, taken.html) == (MAIL.text, MAIL.html)
    with pytest.raises(MailRefused):
        case.provider.send(replace(MAIL, attachments=(Attachment("a\r\nX: y", "text/plain", b""),)))


def test_it_says_who_it_is(case: Case) -> None:
    assert case.provider.validate()


def test_a_wrong_key_is_told_from_a_wrong_mail(case: Case) -> None:
    for ask in (case.wrong.validate, lambda: case.wrong.send(MAIL)):
        with pytest.raises(LoginRefused) as refused:
            ask()
        assert "canary" not in refused.value.message
    assert case.mails == []


def test_a_mail_that_is_refused_is_not_tried_again(case: Case) -> None:
    case.behind.answers.append(case.refusing)
    with pytest.raises(MailRefused) as refused:
        case.provider.send(MAIL)
    assert isinstance(refused.value, Permanent)
    case.provider.send(MAIL)
    assert len(case.mails) == 1


def test_what_passes_is_tried_again(case: Case) -> None:
    case.behind.answers.append(case.passing)
    with pytest.raises(MailError) as passing:
        case.provider.send(MAIL)
    assert isinstance(passing.value, Transient)
    assert not isinstance(passing.value, OutcomeUnknown)
    case.provider.send(MAIL)
    assert len(case.mails) == 1


def test_a_mail_whose_answer_is_lost_may_have_been_taken_and_is_found_where_that_can_be(case: Case) -> None:
    assert case.provider.find(MAIL) is None
    case.behind.loses_answers = True
    with pytest.raises(OutcomeUnknown):
        case.provider.send(MAIL)
    found = case.provider.find(MAIL)
    assert (found is not None) is case.provider.can_find
    assert len(case.mails) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "Hello\r\nBcc: eve@evil.example"},
        {"sender_name": "Shop\nBcc: eve@evil.example"},
        {"recipient": "ann@shop.example\r\nRCPT TO:<eve@evil.example>"},
        {"cc": ("carol@shop.example\nX: y",)},
        {"subject": "Hello\x00"},
    ],
)
def test_no_header_ends_early(case: Case, changed: dict[str, Any]) -> None:
    with pytest.raises(MailRefused):
        case.provider.send(replace(MAIL, **changed))
    assert case.mails == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_goes_to_addresses_that_are_not_allowed(kind: str) -> None:
    settings = {
        "smtp": {"host": "127.0.0.1", "port": 1, "security": "none"},
        "mailgun": {"api_key": "k", "domain": "shop.example"},
        "sendgrid": {"api_key": "k"},
        "postmark": {"server_token": "k"},
        "ses": {"aws_access_key_id": "i", "aws_secret_access_key": "k"},
    }[kind] | {"base_url": "https://127.0.0.1:1"}
    opened = Opened(UUID(int=1), "main", kind, settings, "shop@shop.example", None, 10)
    for host_rules in (AddressRules(), AddressRules(allow_private=True)):
        with open_provider(opened, host_rules) as provider, pytest.raises(LoginRefused, match="this machine"):
            provider.send(MAIL)


def test_over_tls_the_certificate_is_looked_at(tmp_path: Path) -> None:
    with smtp_server(tmp_path, wrapped=True) as inbox:
        server = Server("localhost", inbox.port, "tls", USER, PASSWORD)
        with SmtpProvider(server, HERE) as stranger, pytest.raises(ProviderAway, match="certificate"):
            stranger.send(MAIL)
        with smtp(inbox, security="tls", host="127.0.0.1") as other, pytest.raises(ProviderAway, match="certificate"):
            other.send(MAIL)
        assert inbox.logins == []


def test_a_key_goes_over_tls_alone() -> None:
    settings = {"api_key": "k", "base_url": "http://api.example.com"}
    opened = Opened(UUID(int=1), "main", "sendgrid", settings, "shop@shop.example", None, 10)
    with open_provider(opened, AddressRules()) as provider, pytest.raises(LoginRefused, match="encryption"):
        provider.send(MAIL)


def test_one_that_is_away_is_told_so() -> None:
    settings = {"api_key": "k", "base_url": "http://127.0.0.1:1"}
    opened = Opened(UUID(int=1), "main", "sendgrid", settings, "shop@shop.example", None, 10)
    with open_provider(opened, HERE) as provider, pytest.raises(ProviderAway):
        provider.send(MAIL)
    with SmtpProvider(Server("127.0.0.1", 1, "none"), HERE) as server, pytest.raises(ProviderAway):
        server.send(MAIL)
