"""Who sent a delivery: signatures over the raw body, compared without telling by time where they differ.

GitHub: https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/ (a token in clear, or a signature as Standard
Webhooks has it, https://www.standardwebhooks.com) · Gitea: https://docs.gitea.com/usage/webhooks
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

# As Standard Webhooks advises: older ones may be replayed.
TOLERANCE_SECONDS: Final = 300
PREFIX: Final = "whsec_"


def make_secret() -> str:
    """Return a new secret: 32 random bytes in the form that GitLab asks of signing tokens and the others take too."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def is_signed(provider: str, headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    """Tell whether the holder of `secret` sent this body; `now` is in seconds since 1970.

    The names of `headers` are in small letters.
    """
    match provider:
        case "github":
            return _is_hex_of(headers.get("x-hub-signature-256", ""), body, secret, prefix="sha256=")
        case "gitea":
            # Forgejo sends both; either is enough.
            given = headers.get("x-gitea-signature") or headers.get("x-forgejo-signature") or ""
            return _is_hex_of(given, body, secret)
        case "gitlab":
            return _is_of_gitlab(headers, body, secret, now)
    return False


def _is_hex_of(given: str, body: bytes, secret: str, prefix: str = "") -> bool:
    right = prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return _same(given, right)


def _is_of_gitlab(headers: Mapping[str, str], body: bytes, secret: str, now: float) -> bool:
    signatures = headers.get("webhook-signature")
    if signatures is None:
        return _same(headers.get("x-gitlab-token", ""), secret)
    sent_at = headers.get("webhook-timestamp", "")
    if not (sent_at.isascii() and sent_at.isdecimal()) or abs(now - int(sent_at[:15])) > TOLERANCE_SECONDS:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode(errors="replace") + body
    right = "v1," + base64.b64encode(hmac.new(_key_of(secret), signed, hashlib.sha256).digest()).decode()
    return any(_same(given, right) for given in signatures.split(" ")[:5])


def _key_of(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return secret.encode()


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), right.encode())
