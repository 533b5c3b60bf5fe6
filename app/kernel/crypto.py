"""Secrets at rest: authenticated encryption under the platform's key, and hashes of single-use tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.kernel.errors import Permanent

NONCE_BYTES = 12


class Undecryptable(Permanent):
    """A stored secret cannot be read with the platform's key; was SECRET_KEY changed?"""

    code = "SECRET_UNREADABLE"


class Vault:
    """Encrypts small values (AES-256-GCM, random nonce in front). `context` binds a value to its place, so that a
    ciphertext copied to another row does not open there."""

    def __init__(self, secret_key: str) -> None:
        self._cipher = AESGCM(_derive(secret_key, b"headrace vault"))
        self._mark = _derive(secret_key, b"headrace fingerprint")

    def fingerprint(self, data: bytes) -> str:
        """Return a keyed hash (HMAC-SHA-256, in hexadecimal): equal for equal data, and no help to guess it by."""
        return hmac.new(self._mark, data, hashlib.sha256).hexdigest()

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """Return nonce and ciphertext."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, context.encode())

    def decrypt(self, stored: bytes, context: str) -> bytes:
        """Return the plain value; raises Undecryptable for another key, another context or a changed value."""
        try:
            return self._cipher.decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], context.encode())
        except InvalidTag as error:
            raise Undecryptable from error


def _derive(secret_key: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())


def new_token(size: int = 32) -> str:
    """Return `size` random bytes as URL-safe text."""
    return base64.urlsafe_b64encode(secrets.token_bytes(size)).rstrip(b"=").decode()


def hash_token(token: str) -> str:
    """Return the SHA-256 of a random token, in hexadecimal. Not for passwords."""
    return hashlib.sha256(token.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare without telling by time where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())
