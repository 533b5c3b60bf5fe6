"""Secrets at rest: authenticated encryption under the platform's key, and hashes of single-use tokens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress

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
    ciphertext copied to another row does not open there.

    The first key encrypts. Those before it, `old_keys`, still open what they have encrypted.
    """

    def __init__(self, secret_key: str, *old_keys: str) -> None:
        keys = (secret_key, *old_keys)
        self._ciphers = [AESGCM(_derive(key, b"headrace vault")) for key in keys]
        self._marks = [_derive(key, b"headrace fingerprint") for key in keys]

    def fingerprint(self, data: bytes) -> str:
        """Return a keyed hash (HMAC-SHA-256, in hexadecimal): equal for equal data, and no help to guess it by."""
        return self.fingerprints(data)[0]

    def fingerprints(self, data: bytes) -> tuple[str, ...]:
        """Return the keyed hashes of `data` under each key, the newest first."""
        return tuple(hmac.new(mark, data, hashlib.sha256).hexdigest() for mark in self._marks)

    def recognizes(self, data: bytes, fingerprint: str) -> bool:
        """Tell whether a keyed hash, of any of the keys, is that of `data`."""
        return any(same(one, fingerprint) for one in self.fingerprints(data))

    def encrypt(self, plain: bytes, context: str) -> bytes:
        """Return nonce and ciphertext."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, plain, context.encode())

    def decrypt(self, stored: bytes, context: str) -> bytes:
        """Return the plain value; raises Undecryptable for another key, another context or a changed value."""
        return self._open(stored, context)[0]

    def reseal(self, stored: bytes, context: str) -> bytes | None:
        """Return a value encrypted with the first key, None if it is already; raises Undecryptable."""
        plain, is_newest = self._open(stored, context)
        return None if is_newest else self.encrypt(plain, context)

    def _open(self, stored: bytes, context: str) -> tuple[bytes, bool]:
        for cipher in self._ciphers:
            with suppress(InvalidTag):
                plain = cipher.decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], context.encode())
                return plain, cipher is self._ciphers[0]
        raise Undecryptable


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
