"""Signatures: the ones of each host hold, and nothing that differs by a bit does."""

from __future__ import annotations

import base64

import pytest

from app.pipelines.triggers import is_signed, make_secret
from tests.support.deliveries import sign, sign_as_standard_webhook

BODY = b'{"zen": "Half measures are as bad as nothing at all."}'
SECRET = make_secret()
NOW = 1_700_000_000.0
# The example of GitHub's documentation.
GITHUB = {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def test_githubs_own_example_holds() -> None:
    assert is_signed("github", GITHUB, b"Hello, World!", "It's a Secret to Everybody", NOW)


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea"])
def test_what_a_host_signs_holds_for_its_secret_alone(provider: str) -> None:
    headers = lower(sign(provider, BODY, SECRET))
    assert is_signed(provider, headers, BODY, SECRET, NOW)
    assert not is_signed(provider, headers, BODY, make_secret(), NOW)
    if provider != "gitlab":
        assert not is_signed(provider, headers, BODY + b" ", SECRET, NOW)


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea", "bitbucket"])
@pytest.mark.parametrize("cut", ["", "sha256=", "sha256", "é", "\udc80", "truncated", "upper"])
def test_a_wrong_missing_or_truncated_signature_does_not_hold(provider: str, cut: str) -> None:
    if provider == "bitbucket":
        headers = lower(sign("github", BODY, SECRET))
    else:
        right = lower(sign(provider, BODY, SECRET))
        changes = {"truncated": lambda text: text[:-1], "upper": str.upper}
        headers = {name: changes.get(cut, lambda _: cut)(value) for name, value in right.items()}
    assert not is_signed(provider, headers, BODY, SECRET, NOW)
    assert not is_signed(provider, {}, BODY, SECRET, NOW)


def test_githubs_old_signature_is_not_enough() -> None:
    assert not is_signed("github", {"x-hub-signature": "sha1=" + "0" * 40}, BODY, SECRET, NOW)


def test_gitlabs_signing_token_signs_id_time_and_body() -> None:
    headers = sign_as_standard_webhook(BODY, SECRET, delivery_id="a1", at=NOW)
    assert is_signed("gitlab", headers, BODY, SECRET, NOW)
    several = headers | {"webhook-signature": "v1,AAAA " + headers["webhook-signature"]}
    assert is_signed("gitlab", several, BODY, SECRET, NOW)
    for other in ({"webhook-id": "a2"}, {"webhook-timestamp": str(int(NOW) + 1)}, {"webhook-signature": "v1,"}):
        assert not is_signed("gitlab", headers | other, BODY, SECRET, NOW)
    assert not is_signed("gitlab", headers, BODY + b" ", SECRET, NOW)


@pytest.mark.parametrize("moment", ["", "soon", "-1", "٣", "9" * 400])
def test_gitlabs_signature_needs_a_time(moment: str) -> None:
    headers = sign_as_standard_webhook(BODY, SECRET, delivery_id="a1", at=NOW) | {"webhook-timestamp": moment}
    assert not is_signed("gitlab", headers, BODY, SECRET, NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_signature_of_gitlab_is_not_believed_again(seconds: int) -> None:
    headers = sign_as_standard_webhook(BODY, SECRET, delivery_id="a1", at=NOW)
    assert not is_signed("gitlab", headers, BODY, SECRET, NOW + seconds)


def test_a_wrong_signature_of_gitlab_is_not_saved_by_the_token() -> None:
    headers = {"webhook-signature": "v1,AAAA", "webhook-timestamp": str(int(NOW)), "x-gitlab-token": SECRET}
    assert not is_signed("gitlab", headers, BODY, SECRET, NOW)


def test_a_secret_has_the_form_that_gitlab_asks_for() -> None:
    secret = make_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret != make_secret()
