"""What surrounds every request: its id, its limits of size, its headers on the way out, its line in the log."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request
from werkzeug.exceptions import NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from app.http.envelope import OrjsonProvider, take_request_id
from app.http.limits import rate_headers
from app.http.metrics import observe
from app.http.platform import Platform, platform
from app.http.problems import handle_errors

log = logging.getLogger("headrace.access")

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
DOCUMENTS = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self';"
    " connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
EXPOSED = (
    "X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, ETag, Link, Location,"
    " Idempotent-Replayed, WWW-Authenticate"
)
ALLOWED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-ID"


def frame(app: Flask, parts: Platform) -> None:
    """Put the frame around `app`."""
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = parts.max_body_bytes
    # A redirect would lose the body of a POST; what is not exactly a path is unknown.
    app.url_map.merge_slashes = False
    if count := parts.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    app.before_request(_begin)
    app.after_request(_finish)
    handle_errors(app)


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = take_request_id()
    if "\0" in request.path:
        raise NotFound


def _finish(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-ID"] = g.request_id
    headers.extend(SECURITY)
    headers.setdefault("Content-Security-Policy", DOCUMENTS if response.mimetype == "text/html" else NOTHING)
    headers.setdefault("Cache-Control", "no-store")
    if "standing" in g:
        headers.extend(rate_headers(g.standing))
    if "Origin" in request.headers:
        _allow_origin(response)
    observe(response)
    return response


def _allow_origin(response: Response) -> None:
    """Let the pages of the configured origins read the reply. `*` lets all pages, but without cookies."""
    origins, origin = platform().cors_origins, request.headers["Origin"]
    response.vary.add("Origin")
    if "*" not in origins and origin not in origins:
        return
    response.headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    if "*" not in origins:
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
        response.headers["Access-Control-Allow-Headers"] = ALLOWED
        response.headers["Access-Control-Max-Age"] = "600"
