"""Passwords: argon2id with the library's recommended cost."""

from __future__ import annotations

import base64
import os
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()

# A hash takes 64 MiB and all its threads' cores: more of them at once than cores would only take memory.
_slots = BoundedSemaphore(max(2, os.cpu_count() or 1))


def hash_password(password: str) -> str:
    """Return the argon2id hash in PHC form. Takes about 0.1 s: never call it inside a transaction."""
    with _slots:
        return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Tell whether `password` is the stored one; takes as long without a stored hash as with one."""
    try:
        with _slots:
            return _hasher.verify(stored or _decoy(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Tell whether a hash was made with another cost than today's."""
    return _hasher.check_needs_rehash(stored)


def _decoy() -> str:
    """Return a well-formed hash that no password has, at today's cost."""
    salt, digest = (base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${digest}"
