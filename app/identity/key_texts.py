"""The texts of keys: a prefix that says whose they are, a public part by which they are found, and a secret."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from app.kernel.crypto import Vault, new_token

API_KEY: Final = "hr_live_"
CLIENT_KEY: Final = "ck_live_"
CLIENT_USER_KEY: Final = "sk_user_"

RUNNER_KEY: Final = "hr_run_"
REGISTRATION_KEY: Final = "hr_reg_"

PUBLIC_BYTES: Final = 9
SECRET_BYTES: Final = 32

_OF_CALLERS: Final = (API_KEY, CLIENT_KEY, CLIENT_USER_KEY)
_FORM = re.compile(r"([a-z]{2}_[a-z]{3,4}_)([A-Za-z0-9_-]{12})[A-Za-z0-9_-]{43}")


class Keyed(Protocol):
    """The row of a key."""

    public_part: str
    secret_hash: str


@dataclass(frozen=True, slots=True)
class KeyText:
    """What can be told of a key by its text alone."""

    prefix: str
    public_part: str


def draw_text(vault: Vault, prefix: str, key: Keyed) -> str:
    """Return another text for a key, which nobody can tell again: its row keeps the public part and a keyed hash."""
    key.public_part = new_token(PUBLIC_BYTES)
    text = prefix + key.public_part + new_token(SECRET_BYTES)
    key.secret_hash = vault.fingerprint(text.encode())
    return text


def is_key(credential: str) -> bool:
    """Tell whether a credential is meant to be the key of somebody who calls the API for people."""
    return credential.startswith(_OF_CALLERS)


def read_text(text: str, *prefixes: str) -> KeyText | None:
    """Return what a text says of its key, or None when it is the text of no key with one of the prefixes: those of
    callers, when none is named."""
    form = _FORM.fullmatch(text)
    return None if form is None or form[1] not in (prefixes or _OF_CALLERS) else KeyText(form[1], form[2])
