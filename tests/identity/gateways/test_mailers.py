"""Mailers: the real one against a real server and the one of development, under one contract; and SMTP's refusals."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from launcher.ports import free_port
from tasks.identity.gateways import (
    FolderMailer,
    Mail,
    MailAway,
    Mailer,
    MailNotConfigured,
    MailRefused,
    SmtpMailer,
    choose_mailer,
    read_dkim_key,
)
from tests.support.dkim import is_signed, signing_keys
from tests.support.mail import PASSWORD, USER, Inbox, parse_mail, smtp_server

SENDER = "Headrace <noreply@headrace.example>"
MAIL = Mail("0198c000", "alice@example.com", "Grüße, Alice", "Hello Ünïcode\n", "<p>Hello</p>\n")


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with smtp_server(tmp_path) as inbox:
        yield inbox


def mailer_of(inbox: Inbox, password: str = PASSWORD, dkim: Any = None) -> SmtpMailer:
    trusted = ssl.create_default_context(cafile=str(inbox.certificate))
    return SmtpMailer.at(f"smtp://{USER}:{password.replace(' ', '%20')}@localhost:{inbox.port}", SENDER, trusted, dkim)


@pytest.fixture(params=["smtp", "folder"])
def mailing(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Mailer, Callable[[], list[EmailMessage]]]:
    """A mailer, and what arrived by it."""
    if request.param == "smtp":
        inbox = request.getfixturevalue("inbox")
        return mailer_of(inbox), lambda: inbox.mails
    folder = tmp_path / "mail"
    return FolderMailer(folder, SENDER), lambda: [parse_mail(path.read_bytes()) for path in folder.glob("*.eml")]


def test_a_mail_arrives_as_text_and_as_html(mailing: Any) -> None:
    mailer, arrived = mailing
    mailer.send(MAIL)
    (message,) = arrived()
    assert (message["To"], message["From"], message["Subject"]) == ("alice@example.com", SENDER, "Grüße, Alice")
    assert message["Message-ID"] == "<0198c000@headrace.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    parts = {part.get_content_type(): part.get_content() for part in message.iter_parts()}
    assert parts == {"text/plain": "Hello Ünïcode\n", "text/html": "<p>Hello</p>\n"}


@pytest.mark.parametrize(
    "changed",
    [
        {"to": "alice@example.com\r\nBcc: all@example.com"},
        {"to": "alice@example.com\nBcc: all@example.com"},
        {"subject": "Hello\r\nBcc: all@example.com"},
        {"subject": "Hello\x00"},
        {"id": "x\r\nBcc: all@example.com"},
        {"to": "alice@example.com, bob@example.com"},
        {"to": "no address"},
        {"to": ""},
    ],
)
def test_nobody_adds_headers_or_recipients(mailing: Any, changed: dict[str, str]) -> None:
    mailer, arrived = mailing
    values = {name: getattr(MAIL, name) for name in ("id", "to", "subject", "text", "html")}
    with pytest.raises(MailRefused):
        mailer.send(Mail(**(values | changed)))
    assert arrived() == []


def test_the_server_is_logged_in_to_over_tls(inbox: Inbox) -> None:
    mailer_of(inbox).send(MAIL)
    assert (inbox.logins, inbox.recipients) == ([USER], [["alice@example.com"]])


def test_a_server_whose_certificate_is_not_trusted_gets_no_password(inbox: Inbox) -> None:
    with pytest.raises(MailAway):
        SmtpMailer.at(f"smtp://{USER}:secret@localhost:{inbox.port}", SENDER).send(MAIL)
    assert (inbox.logins, inbox.mails) == ([], [])


def test_a_server_without_starttls_gets_no_password(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls=False) as plain:
        with pytest.raises(MailAway, match="STARTTLS"):
            SmtpMailer.at(f"smtp://{USER}:secret@localhost:{plain.port}", SENDER).send(MAIL)
        assert (plain.logins, plain.mails) == ([], [])


def test_a_plain_server_is_one_that_was_asked_for(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls=False) as plain:
        SmtpMailer.at(f"smtp+plain://localhost:{plain.port}", SENDER).send(MAIL)
        assert len(plain.mails) == 1


def test_a_wrong_password_is_told_without_it(inbox: Inbox) -> None:
    with pytest.raises(MailAway) as caught:
        mailer_of(inbox, password="a wrong one").send(MAIL)
    assert "535" in caught.value.message
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "fate"),
    [("550 no such user", MailRefused), ("451 try later", MailAway), ("554 spam", MailRefused), ("421 bye", MailAway)],
)
def test_what_the_server_answers_decides_whether_it_is_tried_again(
    inbox: Inbox, answer: str, fate: type[Exception]
) -> None:
    inbox.answers.append(answer)
    with pytest.raises(fate, match=answer[:3]) as told:
        mailer_of(inbox).send(MAIL)
    assert inbox.mails == []
    assert answer[4:] not in told.value.message, "servers quote mails, and what is in them lets in"


def test_a_mail_is_signed_by_the_key_of_the_installation(inbox: Inbox) -> None:
    mailer_of(inbox, dkim=read_dkim_key("headrace.example", "s1", signing_keys()[0])).send(MAIL)
    (content,) = inbox.contents
    assert is_signed(content, "s1._domainkey.headrace.example.")
    assert b"To: alice@" in content
    assert not is_signed(content.replace(b"To: alice@", b"To: eve@"), "s1._domainkey.headrace.example.")


@pytest.mark.parametrize(
    "given", [("headrace.example", "", ""), ("", "s1", "x"), ("headrace.example", "s1", "canary-of-a-key")]
)
def test_what_cannot_sign_ends_the_start_and_is_not_shown(given: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="DKIM_PRIVATE_KEY") as refused:
        read_dkim_key(*given)
    assert "canary" not in str(refused.value)
    assert read_dkim_key("", "", "") is None


def test_a_server_that_is_away_is_asked_again_later() -> None:
    with pytest.raises(MailAway):
        SmtpMailer.at(f"smtp+plain://127.0.0.1:{free_port()}", SENDER).send(MAIL)


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp+plain://u:p@host"])
def test_an_address_that_is_none_or_would_show_a_password_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="SMTP_URL"):
        choose_mailer(url, SENDER, None)


def test_without_a_server_mails_are_kept_in_development_and_refused_in_production(tmp_path: Path) -> None:
    choose_mailer("", SENDER, tmp_path / "mail").send(MAIL)
    (kept,) = (tmp_path / "mail").iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("0198c000.eml", 0o600)
    with pytest.raises(MailNotConfigured):
        choose_mailer("", SENDER, None).send(MAIL)
