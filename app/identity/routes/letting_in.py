"""What all ways of logging in have in common: where the request comes from, and the reply that lets in."""

from __future__ import annotations

from flask import request

from app.http import Reply, caller_network, platform
from app.identity.cookies import read_device_cookie, set_device_cookie, set_refresh_cookie
from app.identity.logins import Login
from app.identity.origins import Origin, new_device, read_device
from app.identity.tokens import issue_token

LONGEST_AGENT = 255


def origin() -> Origin:
    """Return where the current request comes from."""
    agent = request.headers.get("User-Agent", "")[:LONGEST_AGENT]
    device = read_device(platform().vault, read_device_cookie(request))
    return Origin(request.remote_addr, agent or None, caller_network(), device)


def welcome(login: Login, *, in_body: bool) -> Reply:
    """Return the reply that lets in: tokens are never stored on the way."""
    lifetime, secure = platform().refresh_token_seconds, not platform().is_development
    data = {
        "user": login.user,
        "access_token": issue_token(login.user.id, login.session_id),
        "token_type": "Bearer",
        "expires_in": platform().access_token_seconds,
    }
    if in_body:
        data["refresh_token"] = login.refresh_token
    cookies = [set_refresh_cookie(login.refresh_token, lifetime, secure=secure)]
    if not origin().is_device_of(login.user.id):
        cookies.append(set_device_cookie(new_device(platform().vault, login.user.id), secure=secure))
    return Reply(data, headers={"Set-Cookie": cookies, "Cache-Control": "no-store"})
