"""Passwords: argon2id with the library's recommended cost, a bounded number of them at once, and which are refused."""

from __future__ import annotations

import base64
import gzip
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore, Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.identity.errors import InvalidCredentials
from app.kernel.errors import FieldError, Invalid, Unavailable

LEAST = 8
MOST = 128
COMMON = Path(__file__).parent / "common_passwords" / "passwords.txt.gz"

_hasher = PasswordHasher()


class Places:
    """How many hashes are made at once, and how many more threads may wait for that; others are told to come back.

    A hash takes 64 MiB and a core: more of them at once than cores would only take memory, and without a bound on those
    who wait, a flood of logins would hold every thread of the API.
    """

    def __init__(self, threads: int) -> None:
        at_once = min(max(2, os.cpu_count() or 1), max(1, threads // 2))
        self._working = BoundedSemaphore(at_once)
        self._most = max(at_once, threads // 2)
        self._lock = Lock()
        self._admitted = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place; raises Unavailable when too many wait already."""
        with self._lock:
            self._refuse_full()
            self._admitted += 1
        try:
            with self._working:
                yield
        finally:
            with self._lock:
                self._admitted -= 1

    def refuse_full(self) -> None:
        """Raise Unavailable when too many wait already."""
        with self._lock:
            self._refuse_full()

    def _refuse_full(self) -> None:
        if self._admitted >= self._most:
            raise Unavailable("Too many logins at once; try again in a moment.", headers={"Retry-After": "1"})


class _Hashing:
    places = Places(threads=64)


def bound_hashing(threads: int) -> None:
    """Let half of a process's `threads` at most be busy with passwords."""
    _Hashing.places = Places(threads)


def refuse_full() -> None:
    """Raise Unavailable when as many are at passwords as may be. Who is told so before anything else is asked costs
    little: in a flood that is nearly everybody."""
    _Hashing.places.refuse_full()


def hash_password(password: str) -> str:
    """Return the argon2id hash in PHC form. Takes about 0.1 s: never call it inside a transaction.

    Raises Unavailable, as `verify_password` does, when too many are at it already.
    """
    with _Hashing.places.taken():
        return _hasher.hash(_one_form(password))


def verify_password(stored: str | None, password: str) -> bool:
    """Tell whether `password` is the stored one; takes as long without a stored hash as with one."""
    try:
        with _Hashing.places.taken():
            return _hasher.verify(stored or _decoy(), _one_form(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def demand_password(stored: str | None, given: str | None, purpose: str) -> None:
    """Ask for the password of an account that has one, before something that a token alone must not do; raises Invalid
    where it is missing, InvalidCredentials where it is wrong."""
    if stored is None:
        return
    if given is None:
        raise Invalid(errors=[FieldError("current_password", f"Is needed to {purpose}.")])
    if not verify_password(stored, given):
        raise InvalidCredentials("The current password is wrong.", field="current_password")


def is_outdated(stored: str) -> bool:
    """Tell whether a hash was made with another cost than today's."""
    return _hasher.check_needs_rehash(stored)


def refuse_weak(password: str, *names: str, field: str = "password") -> None:
    """Refuse a password that everybody tries first: a common one, or little more than the account's own `names`.

    Raises Invalid, which names the `field`.
    """
    folded = _one_form(password).casefold()
    if folded in _common():
        raise Invalid(errors=[FieldError(field, "This is one of the commonest passwords; choose another.")])
    rest = folded
    for name in sorted(_parts(names), key=len, reverse=True):
        rest = rest.replace(name, "")
    if len(rest) < LEAST and rest != folded:
        raise Invalid(errors=[FieldError(field, "Apart from your own name or address this is too short.")])


def _parts(names: tuple[str, ...]) -> set[str]:
    """Return names and addresses, and what stands before the address's `@`."""
    return {part.casefold() for name in names for part in (name, name.partition("@")[0]) if len(part) >= 3}


@cache
def _common() -> frozenset[str]:
    return frozenset(gzip.decompress(COMMON.read_bytes()).decode().split())


def _one_form(password: str) -> str:
    """Return the one form (NFKC) of what keyboards and systems write in several."""
    return unicodedata.normalize("NFKC", password)


def _decoy() -> str:
    """Return a well-formed hash that no password has, at today's cost."""
    salt, digest = (base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}${salt}${digest}"
