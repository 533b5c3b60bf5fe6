"""The refresh cookie: kept from scripts and from other sites, sent to the auth routes alone."""

from __future__ import annotations

from typing import Final

from flask import Request
from werkzeug.http import dump_cookie

NAME: Final = "refresh_token"
PATH: Final = "/api/v1/auth"


def set_refresh_cookie(token: str, lifetime: int, *, secure: bool) -> str:
    """Return the Set-Cookie header that keeps `token` for `lifetime` seconds."""
    return dump_cookie(NAME, token, lifetime, path=PATH, secure=secure, httponly=True, samesite="Strict")


def clear_refresh_cookie(*, secure: bool) -> str:
    """Return the Set-Cookie header that forgets the token."""
    return set_refresh_cookie("", 0, secure=secure)


def read_refresh_cookie(request: Request) -> str | None:
    """Return the token of a request's cookie."""
    return request.cookies.get(NAME) or None
