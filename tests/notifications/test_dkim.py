"""Mails signed by their domain: whoever has the public key from the name system can tell that nobody changed them."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask.testing import FlaskClient
from sqlalchemy import select

from app.kernel.db import Database
from app.notifications.models import EmailProvider
from tasks.tools import Tools
from tests.support.dkim import is_signed, signing_keys
from tests.support.identity import Person, error_of
from tests.support.mail import Inbox
from tests.support.notifications import API, provider, send, set_providers
from tests.support.work import drain

ELLIPTIC = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signing(inbox: Inbox, **changed: Any) -> dict[str, Any]:
    wanted = provider(inbox)
    wanted["provider_config"] |= {"dkim_domain": "shop.example", "dkim_selector": "s1"} | changed
    return wanted


def is_ours(content: bytes) -> bool:
    return is_signed(content, "s1._domainkey.shop.example.")


def test_a_mail_is_signed_and_a_changed_one_is_told(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    set_providers(client, alice, signing(inbox, dkim_private_key=signing_keys()[0]))
    send(client, alice, subject="Gr\u00fc\u00dfe", text="Hello\n.\nand on  \n", can_unsubscribe=True)
    drain(database, tools)
    (content,) = inbox.contents
    assert is_ours(content)
    signature = str(inbox.mails[0]["DKIM-Signature"]).lower()
    assert "list-unsubscribe-post" in signature
    for old, new in ((b"Hello", b"Hullo"), (b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Lust")):
        assert old in content
        assert not is_ours(content.replace(old, new))
    assert not is_ours(content.replace(b"From: ", b"From: eve@evil.example\r\nFrom: ", 1))


def test_the_key_is_sealed_never_comes_back_and_is_kept(
    client: FlaskClient, alice: Person, inbox: Inbox, tools: Tools, database: Database
) -> None:
    (shown,) = set_providers(client, alice, signing(inbox, dkim_private_key=signing_keys()[0]))
    assert "PRIVATE" not in str(shown)
    assert shown["config"]["dkim_selector"] == "s1"
    with database.transaction() as session:
        assert b"PRIVATE" not in session.execute(select(EmailProvider.credentials)).scalar_one()
    set_providers(client, alice, signing(inbox, host="localhost"))
    send(client, alice)
    drain(database, tools)
    assert is_ours(inbox.contents[0])


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({}, "dkim_private_key"),
        ({"dkim_private_key": "x"}, "dkim_private_key"),
        ({"dkim_private_key": ELLIPTIC.decode()}, "dkim_private_key"),
        ({"dkim_selector": "a b"}, "dkim_selector"),
        ({"dkim_domain": "shop.example\r\nX: y"}, "dkim_domain"),
    ],
)
def test_what_cannot_sign_is_refused_by_its_name(
    client: FlaskClient, alice: Person, inbox: Inbox, changed: dict[str, Any], field: str
) -> None:
    body = {"providers": [signing(inbox, **changed)]}
    refused = error_of(client.put(f"{API}/clients/email-providers", json=body, headers=alice.headers), 422)
    assert refused["errors"][0]["field"] == f"providers.0.provider_config.{field}"
