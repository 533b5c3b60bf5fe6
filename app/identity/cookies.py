"""The cookies of a login: kept from scripts and from other sites, sent to the auth routes alone."""

from __future__ import annotations

from typing import Final

from flask import Request
from werkzeug.http import dump_cookie

NAME: Final = "refresh_token"
DEVICE: Final = "device"
STATE: Final = "login_state"
STATE_SECONDS: Final = 600
PATH: Final = "/api/v1/auth"
DEVICE_SECONDS: Final = 400 * 86400
"""How long a device is known; browsers keep no cookie longer."""


def set_refresh_cookie(token: str, lifetime: int, *, secure: bool) -> str:
    """Return the Set-Cookie header that keeps `token` for `lifetime` seconds."""
    return dump_cookie(NAME, token, lifetime, path=PATH, secure=secure, httponly=True, samesite="Strict")


def clear_refresh_cookie(*, secure: bool) -> str:
    """Return the Set-Cookie header that forgets the token."""
    return set_refresh_cookie("", 0, secure=secure)


def read_refresh_cookie(request: Request) -> str | None:
    """Return the token of a request's cookie."""
    return request.cookies.get(NAME) or None


def set_device_cookie(device: str, *, secure: bool) -> str:
    """Return the Set-Cookie header by which this device is known from now on."""
    return dump_cookie(DEVICE, device, DEVICE_SECONDS, path=PATH, secure=secure, httponly=True, samesite="Strict")


def read_device_cookie(request: Request) -> str | None:
    """Return what a request says of its device."""
    return request.cookies.get(DEVICE) or None


def set_state_cookie(state: str, *, secure: bool) -> str:
    """Return the Set-Cookie header that ties a login at a provider to this browser. The provider's page sends it back
    here, which is another site's doing: a strict cookie would not come along."""
    return dump_cookie(STATE, state, STATE_SECONDS, path=PATH, secure=secure, httponly=True, samesite="Lax")


def read_state_cookie(request: Request) -> str | None:
    """Return the state of the login at a provider that this browser has begun."""
    return request.cookies.get(STATE) or None
