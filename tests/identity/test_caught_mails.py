"""The page that shows a developer which mails would have gone out."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.kernel.db import Database
from config.settings import Settings, load_settings
from tests.support.identity import Person, error_of, make_person
from tests.support.mail import MailTools
from tests.support.work import drain

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def root(app: Flask, database: Database) -> Person:
    """Administers the platform."""
    return make_person(app, database, "root-admin", role="admin", email_verified=True)


def test_a_developer_sees_what_was_kept_and_follows_its_links(
    app: Flask,
    client: FlaskClient,
    alice: Person,
    root: Person,
    database: Database,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "mail"
    monkeypatch.setattr(app.extensions["headrace"], "mail_folder", folder)
    assert "none yet" in client.get("/mails", headers=root.headers).text
    client.post("/api/v1/auth/send-verification", headers=alice.headers)
    drain(database, MailTools(settings, folder))
    page = client.get("/mails", headers=root.headers)
    assert page.mimetype == "text/html"
    assert "Confirm your email address" in page.text
    assert f'<a href="{settings.public_url}/console/verify-email#token=' in page.text


def test_what_a_mail_says_is_text(
    app: Flask, client: FlaskClient, root: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "mail_folder", tmp_path)
    said = f'Subject: {EVIL}\nTo: {EVIL}\nDate: {EVIL}\n\n{EVIL} http://x.example/"onclick="y'
    (tmp_path / "1.eml").write_text(said)
    (tmp_path / "2.eml").write_bytes(b"\xff\xfe not a mail")
    page = client.get("/mails", headers=root.headers).text
    assert "<script" not in page
    assert 'onclick="y' not in page


def test_who_is_no_administrator_sees_nothing_of_mails_that_open_accounts(
    app: Flask, client: FlaskClient, alice: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "mail_folder", tmp_path)
    error_of(client.get("/mails"), 401)
    assert error_of(client.get("/mails", headers=alice.headers), 403)["code"] == "INSUFFICIENT_PERMISSIONS"


def test_elsewhere_there_is_no_such_page(
    client: FlaskClient, app: Flask, root: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["headrace"], "mail_folder", None)
    error_of(client.get("/mails", headers=root.headers), 404)


@pytest.mark.parametrize(
    ("changed", "is_kept"),
    [
        ({"ENVIRONMENT": "development"}, True),
        ({"ENVIRONMENT": "development", "SMTP_URL": "smtp://mail.example.com"}, False),
        ({"ENVIRONMENT": "production"}, False),
    ],
)
def test_mails_are_kept_in_development_without_a_mail_server_alone(changed: dict[str, str], is_kept: bool) -> None:
    needed = {"SECRET_KEY": "k" * 32, "DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://x"}
    assert (load_settings({**needed, **changed}).mail_folder is not None) is is_kept
