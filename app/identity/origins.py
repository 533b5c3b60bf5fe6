"""Where a login comes from, and which devices an account has been used on.

A device that somebody has logged in on keeps a cookie which says so. It lets in nobody. It only keeps an account's
owner apart from strangers behind the same address, when failed logins are counted; and tells a login on a new device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.kernel.crypto import Vault, new_token

NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class Device:
    """A device on which a user has logged in before; `name` tells it from others."""

    user_id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a login comes from, to be shown to its owner; `network` is what strangers there have in common."""

    ip_address: str | None
    user_agent: str | None
    network: str = ""
    device: Device | None = None

    def is_device_of(self, user_id: UUID) -> bool:
        """Whether the user has logged in from there before."""
        return self.device is not None and self.device.user_id == user_id


NOWHERE: Final = Origin(None, None)
"""Where what others do to an account comes from: its owner is told what it was."""


def new_device(vault: Vault, user_id: UUID) -> str:
    """Return the text by which a device is known for a user's from now on."""
    name = new_token(NONCE_BYTES)
    return f"{user_id.hex}.{name}.{vault.fingerprint(_said_of(user_id, name))}"


def read_device(vault: Vault, text: str | None) -> Device | None:
    """Return the device that a text proves, None for a text that is not ours."""
    try:
        owner, name, mark = (text or "").split(".")
        user_id = UUID(owner)
    except ValueError:
        return None
    return Device(user_id, name) if vault.recognizes(_said_of(user_id, name), mark) else None


def _said_of(user_id: UUID, name: str) -> bytes:
    return f"device/{user_id}/{name}".encode()
