"""Signatures of Standard Webhooks (specification 1.0): HMAC-SHA-256 over id, time and body. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64


def make_secret() -> str:
    """Return a secret of 32 random bytes in the standard's form."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secret(text: str) -> bytes:
    """Return the bytes of a secret such as `whsec_…`. Raises ValueError."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("is not base64, with or without whsec_ before it") from error
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise ValueError(f"is not {LEAST_BYTES} to {MOST_BYTES} bytes in base64")
    return key


def sign(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`: one signature for each key; `timestamp` is in epoch seconds."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return " ".join(f"v1,{_sign(key, signed)}" for key in keys)


def _sign(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
