"""The opening handshake of a WebSocket (RFC 6455, section 4.2), judged before the socket is handed over."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from app.http.platform import platform
from app.kernel.errors import Forbidden, Malformed, Refusal

VERSION = "13"


class UpgradeRequired(Refusal):
    """This address speaks WebSocket: send an upgrade to `websocket`, version 13, over HTTP/1.1."""

    code = "UPGRADE_REQUIRED"
    status = 426


def shake_hands() -> list[tuple[str, str]]:
    """Return the headers that accept the current request's handshake.

    Raises UpgradeRequired when it asks for no WebSocket or another version, Malformed when it asks in a broken way,
    Forbidden when it comes from a page that may not call this API.
    """
    answer = ServerProtocol().accept(_as_request())
    if answer.status_code == 400 and request.headers.get("Sec-WebSocket-Version", VERSION) != VERSION:
        raise UpgradeRequired(headers={"Upgrade": "websocket", "Sec-WebSocket-Version": VERSION})
    if answer.status_code == 400:
        raise Malformed("The WebSocket handshake is broken; Sec-WebSocket-Key and -Version are needed, once each.")
    if answer.status_code != 101:
        raise UpgradeRequired(headers={"Upgrade": "websocket", "Sec-WebSocket-Version": VERSION})
    _check_origin()
    return [(name, value) for name, value in answer.headers.raw_items() if name.startswith("Sec-WebSocket-")]


def _as_request() -> Request:
    protocol = str(request.environ.get("SERVER_PROTOCOL", ""))
    return Request(request.path, Headers(request.headers.items()), request.method, protocol)


def _check_origin() -> None:
    """Let a page open a WebSocket where it may call the API: from our own origin, or one of CORS_ORIGINS.

    No cookie is looked at, so that a strange page has nothing to open one with; this keeps it from trying.
    """
    origin = request.headers.get("Origin")
    if origin is None or "*" in platform().cors_origins or origin in platform().cors_origins:
        return
    if urlsplit(origin).netloc not in (request.host, urlsplit(platform().public_url).netloc):
        raise Forbidden("Pages of this origin may not open WebSockets here; CORS_ORIGINS names those that may.")
