"""Canaries: secrets of every kind are put in through the API, and looked for in all that comes out or stays."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

import app.tables
from app.factory import create_app
from app.jobs import Job
from app.kernel.db import Database
from config.settings import Settings
from launcher.ports import free_port
from tasks.identity.gateways import SmtpMailer
from tests.identity.test_mfa import code_of
from tests.support.contract import ContractClient
from tests.support.identity import data_of
from tests.support.mail import MailTools, token_of
from tests.support.work import drain

pytestmark = pytest.mark.slow

AUTH = "/api/v1/auth"
PASSWORD, NEW_PASSWORD, WRONG_PASSWORD = "canary-password-one", "canary-password-two", "canary-password-wrong"
CLIENT_SECRET, SMTP_PASSWORD, VALUE = "canary-of-the-client", "canary-of-the-mail-server", "canary-of-a-workspace"


class Planted:
    """The secrets that were put in or handed out, and every reply that had no business to hold one."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.secrets = {PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, CLIENT_SECRET, SMTP_PASSWORD, VALUE}
        self.replies: list[str] = []

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST, and keep the reply if it is an error."""
        reply = self.client.post(path, json=body, headers=headers)
        if reply.status_code >= 400:
            self.replies.append(reply.get_data(as_text=True))
        return reply

    def shown(self, reply: Any, status: int, *fields: str) -> dict[str, Any]:
        """Return the data of a reply whose fields are secrets that it shows once."""
        data: dict[str, Any] = data_of(reply, status)
        for field in fields:
            self.secrets |= set(data[field]) if isinstance(data[field], list) else {data[field]}
        return data


@pytest.fixture
def client(settings: Settings, database: Database, hints: Any) -> FlaskClient:
    away = f"http://127.0.0.1:{free_port()}"
    providers = json.dumps({"corp": {"client_id": "x", "client_secret": CLIENT_SECRET, "issuer": away}})
    changed = replace(settings, oauth_providers=providers, rate_limits=False, log_level="DEBUG")
    application = create_app(changed, sender=hints, database=database)
    application.test_client_class = ContractClient
    return application.test_client()


def test_no_secret_is_in_a_log_a_job_an_error_or_a_table(
    client: FlaskClient, database: Database, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    planted, tools = Planted(client), MailTools(settings, tmp_path / "mail")
    headers = _plant_logins(planted, database, tools)
    _plant_keys_and_values(planted, client, database, headers)
    _plant_second_factor(planted, headers)
    _let_everything_fail(planted, database, tools)
    for secret in planted.secrets:
        assert len(secret) > 6
        assert secret not in caplog.text
        assert not any(secret in reply for reply in planted.replies)
    assert len(planted.replies) >= 8
    assert len(planted.secrets) >= 25
    assert _kept_in_tables(database, planted.secrets) == []
    assert "users" in _kept_in_tables(database, {"alice@example.com"})


def _plant_logins(planted: Planted, database: Database, tools: MailTools) -> dict[str, str]:
    body = {"username": "alice", "email": "alice@example.com", "password": PASSWORD, "delivery": "body"}
    made = planted.shown(planted.post(f"{AUTH}/register", body), 201, "access_token", "refresh_token")
    drain(database, tools)
    planted.secrets.add(token_of(tools.mails[0]))
    planted.post(f"{AUTH}/verify-email", {"token": token_of(tools.mails[0])})
    planted.post(f"{AUTH}/verify-email", {"token": token_of(tools.mails[0])})
    used = {"refresh_token": made["refresh_token"]}
    planted.shown(planted.post(f"{AUTH}/refresh", used), 200, "access_token", "refresh_token")
    planted.post(f"{AUTH}/forgot-password", {"email": "alice@example.com"})
    drain(database, tools)
    reset = token_of(next(mail for mail in tools.mails if mail["Subject"] == "Reset your password"))
    planted.secrets.add(reset)
    data_of(planted.post(f"{AUTH}/reset-password", {"token": reset, "new_password": NEW_PASSWORD}))
    planted.post(f"{AUTH}/login", {"username": "alice", "password": WRONG_PASSWORD})
    login = planted.post(f"{AUTH}/login", {"username": "alice", "password": NEW_PASSWORD, "delivery": "body"})
    again = planted.shown(login, 200, "access_token", "refresh_token")
    return {"Authorization": f"Bearer {again['access_token']}"}


def _plant_keys_and_values(planted: Planted, client: FlaskClient, database: Database, headers: dict[str, str]) -> None:
    key = planted.post("/api/v1/api-keys", {"name": "k", "scopes": ["jobs:read"]}, **headers)
    text_of_key = planted.shown(key, 201, "key")["key"]
    client.get("/api/v1/jobs", headers={"X-API-Key": text_of_key})
    client.get("/api/v1/jobs", headers={"X-API-Key": f"{text_of_key}x"})
    repeated = {**headers, "Idempotency-Key": "one"}
    second = planted.post("/api/v1/api-keys", {"name": "k2", "scopes": ["jobs:read"]}, **repeated)
    planted.shown(second, 201, "key")
    _plant_client_keys(planted)
    workspace = data_of(planted.post("/api/v1/workspaces", {"name": "Web shop"}, **headers), 201)
    definition = {"name": "shop", "stages": [{"name": "a", "steps": [{"name": "s", "run": "true"}]}]}
    pipeline = data_of(planted.post(f"/api/v1/workspaces/{workspace['id']}/pipelines", definition, **headers), 201)
    organization = f"organizations/{workspace['organization_id']}"
    for holder, value in (
        (f"workspaces/{workspace['id']}", VALUE),
        (organization, "canary-of-an-organization"),
        (f"pipelines/{pipeline['id']}", "canary-of-a-pipeline"),
    ):
        planted.secrets.add(value)
        replies = [
            planted.post(f"/api/v1/{holder}/secrets", {"name": "TOKEN", "value": value}, **headers) for _ in "12"
        ]
        assert [reply.status_code for reply in replies] == [201, 409]
    team = data_of(planted.post("/api/v1/organizations", {"name": "Team"}, **headers), 201)
    invitations = f"/api/v1/organizations/{team['id']}/invitations"
    invited = planted.post(invitations, {"email": "bob@example.com", "role": "member"}, **headers)
    token = planted.shown(invited, 201, "token")["token"]
    planted.post(f"/api/v1/organizations/invitations/{token}/accept", **headers)


def _plant_client_keys(planted: Planted) -> None:
    shop = planted.shown(planted.post("/api/v1/clients", {"name": "Shop"}), 201, "master_api_key")
    own = {"Authorization": f"Bearer {shop['master_api_key']}"}
    user, repeated = {"username": "ann", "email": "ann@shop.example"}, {**own, "Idempotency-Key": "two"}
    planted.shown(planted.post("/api/v1/users", user, **repeated), 201, "scoped_api_key")
    planted.post("/api/v1/users", user, **own)
    planted.shown(planted.post("/api/v1/users/login", {"email": user["email"]}, **own), 200, "scoped_api_key")


def _plant_second_factor(planted: Planted, headers: dict[str, str]) -> None:
    enrolled = planted.post(f"{AUTH}/mfa/enable", {"current_password": NEW_PASSWORD}, **headers)
    made = planted.shown(enrolled, 200, "secret", "uri")
    planted.post(f"{AUTH}/mfa/verify", {"code": "canary-code"}, **headers)
    confirmed = planted.post(f"{AUTH}/mfa/verify", {"code": code_of(made["secret"], -1)}, **headers)
    codes = planted.shown(confirmed, 200, "recovery_codes")["recovery_codes"]
    reply = planted.client.post(f"{AUTH}/login", json={"username": "alice", "password": NEW_PASSWORD})
    token = reply.get_json()["error"]["details"]["session_token"]
    planted.secrets.add(token)
    answer = {"session_token": token, "code": codes[0], "delivery": "body"}
    planted.shown(planted.post(f"{AUTH}/mfa/challenge", answer), 200, "access_token", "refresh_token")
    planted.post(f"{AUTH}/mfa/challenge", answer)


def _let_everything_fail(planted: Planted, database: Database, tools: MailTools) -> None:
    planted.post(f"{AUTH}/corp")
    planted.post(f"{AUTH}/login/corp", {"id_token": "canary.id.token"})
    planted.post(f"{AUTH}/forgot-password", {"email": "alice@example.com"})
    tools.mailer = SmtpMailer.at(f"smtps://user:{SMTP_PASSWORD}@127.0.0.1:{free_port()}", "noreply@example.com")
    with database.transaction() as session:
        session.execute(text("UPDATE jobs SET max_attempts = attempt + 1 WHERE status = 'queued'"))
    drain(database, tools)
    with database.transaction() as session:
        errors = session.query(Job).filter(Job.status == "failed").all()
        assert {job.error["code"] for job in errors if job.error} == {"MAIL_SERVER_UNAVAILABLE"}


def _kept_in_tables(database: Database, secrets: set[str]) -> list[str]:
    """Return where a secret is kept so that it can be read: as text, or as the bytes of the text."""
    found = []
    for table in app.tables.METADATA.tables:
        with database.transaction() as session:
            kept = "\n".join(session.execute(text(f'SELECT t::text FROM "{table}" t')).scalars())
        found += [table for secret in secrets if secret in kept or secret.encode().hex() in kept]
    return found
