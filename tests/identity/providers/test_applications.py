"""Logins that applications have had with a provider by themselves: by id tokens and by codes of their own."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient

from tests.support.identity import data_of, error_of
from tests.support.openid_provider import OWN_ADDRESS, VERIFIER, OpenId
from tests.support.provider_logins import AUTH, CALLBACK, CLIENT, begin

pytestmark = pytest.mark.slow


def test_an_application_logs_in_by_an_id_token_once(browser: FlaskClient, openid: OpenId) -> None:
    token = openid.id_token("dora-1", CLIENT, "n-1")
    body = {"id_token": token, "nonce": "n-1", "delivery": "body"}
    assert "refresh_token" in data_of(browser.post(f"{AUTH}/login/corp", json=body))
    assert error_of(browser.post(f"{AUTH}/login/corp", json=body), 401)["code"] == "TOKEN_REVOKED"


def test_id_tokens_for_others_old_ones_and_forgeries_are_refused(browser: FlaskClient, openid: OpenId) -> None:
    good = jwt.decode(openid.id_token("dora-1", CLIENT, "n-1"), options={"verify_signature": False})
    key = generate_private_key(65537, 2048)
    kid = jwt.get_unverified_header(openid.id_token("dora-1", CLIENT, "n-1")).get("kid")
    published = requests.get(f"{openid.issuer}/.well-known/jwks.json", timeout=10).json()["keys"][0]
    public = jwt.PyJWK(published).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    bad = [
        openid.id_token("dora-1", "somebody-else", "n-1"),
        jwt.encode(good, key, "RS256", headers={"kid": kid} if kid else None),
        jwt.encode(good, key, "RS256", headers={"kid": "foreign"}),
        jwt.encode(good, None, "none"),
        _hmac_token(good, public),
        "a.b.c",
        "not a token",
    ]
    for token in bad:
        reply = browser.post(f"{AUTH}/login/corp", json={"id_token": token, "nonce": "n-1"})
        assert error_of(reply, 401)["code"] == "INVALID_CREDENTIALS", token
    wrong = {"id_token": openid.id_token("dora-1", CLIENT, "n-1"), "nonce": "n-2"}
    assert error_of(browser.post(f"{AUTH}/login/corp", json=wrong), 401)["code"] == "INVALID_CREDENTIALS"


def _hmac_token(claims: dict[str, Any], secret: bytes) -> str:
    """Sign with a public key as if it were a password, which PyJWT itself refuses to do."""
    algorithm = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    head = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}')
    signed = head + b"." + jwt.utils.base64url_encode(json.dumps(claims).encode())
    return (signed + b"." + jwt.utils.base64url_encode(algorithm.sign(signed, secret))).decode()


def test_the_provider_insists_on_pkce_itself(openid: OpenId) -> None:
    """Else nothing of this file would say that the platform uses it rightly."""
    for changed in ({"code_challenge": None, "code_challenge_method": None}, {"code_challenge_method": "plain"}):
        sent = openid.log_in(openid.authorization_url(CLIENT, **changed), "dora-1")
        assert sent["error"] == "invalid_request", changed
    for verifier in (None, "w" * 43):
        code = openid.log_in(openid.authorization_url(CLIENT), "dora-1")["code"]
        refused = openid.exchange(CLIENT, code, code_verifier=verifier)
        assert (refused.status_code, refused.json()["error"]) in {(400, "invalid_grant"), (400, "invalid_request")}
        assert openid.exchange(CLIENT, code, code_verifier=VERIFIER).status_code == 200
        assert openid.exchange(CLIENT, code).status_code == 400
    code = openid.log_in(openid.authorization_url(CLIENT), "dora-1")["code"]
    assert openid.exchange(CLIENT, code, client_secret="wrong").status_code == 401


def test_an_application_logs_in_by_a_code_of_its_own(browser: FlaskClient, openid: OpenId) -> None:
    def come_with(**changed: str) -> Any:
        code = openid.log_in(openid.authorization_url(CLIENT, nonce="n-1"), "dora-1")["code"]
        body = {"code": code, "redirect_uri": OWN_ADDRESS, "code_verifier": VERIFIER, "nonce": "n-1"} | changed
        return browser.post(f"{AUTH}/login/corp", json={name: said for name, said in body.items() if said})

    assert data_of(come_with())["user"]["email"] == "dora@example.com"
    for changed in ({"code_verifier": ""}, {"code_verifier": "w" * 43}, {"redirect_uri": "http://other.example/"}):
        assert error_of(come_with(**changed), 401)["code"] == "INVALID_CREDENTIALS", changed
    assert error_of(come_with(nonce="n-2"), 401)["code"] == "INVALID_CREDENTIALS"


def test_a_code_that_was_sent_to_us_is_no_applications(browser: FlaskClient, openid: OpenId) -> None:
    asked = begin(browser)
    body = {"code": openid.log_in(asked, "dora-1")["code"]}
    ours = body | {"redirect_uri": parse_qs(urlsplit(asked).query)["redirect_uri"][0]}
    assert ours["redirect_uri"] == CALLBACK
    for taken in (ours, ours | {"code_verifier": "w" * 43}):
        refused = browser.post(f"{AUTH}/login/corp", json=taken)
        assert error_of(refused, 422)["errors"][0]["field"] == "redirect_uri"
    for half in ({"code": "x"}, {}, {"code": "x", "id_token": "y", "redirect_uri": "z"}):
        assert error_of(browser.post(f"{AUTH}/login/corp", json=half), 422)["code"] == "VALIDATION_ERROR"
