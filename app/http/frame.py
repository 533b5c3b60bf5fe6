"""What surrounds every request: its id, its limit of size, its headers on the way out."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import NotFound, RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import MapAdapter

from app.http.access import note_answer, traced
from app.http.envelope import OrjsonProvider, take_request_id
from app.http.limits import rate_headers
from app.http.platform import Platform, platform
from app.http.problems import handle_errors
from app.kernel import context
from app.kernel.tracing import is_tracing

SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
REST_BYTES = 32 * 1024 * 1024
REST_SECONDS = 5.0
BLOCK = 64 * 1024
NOTHING = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
DOCUMENTS = (
    "Content-Security-Policy",
    (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    ),
)
EXPOSED = (
    "X-Request-ID, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, ETag, Link, Location,"
    " Idempotent-Replayed, WWW-Authenticate"
)
ALLOWED = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-API-Key, X-Request-ID"
)


class Application(Flask):
    """Flask whose routes judge by themselves whether a request is to become a WebSocket: werkzeug finds none of them
    for a request that offers it, and would answer before any of ours does."""

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what finds the route of a request."""
        adapter = super().create_url_adapter(request)
        if adapter is not None:
            adapter.websocket = False
        return adapter


class BoundedRequest(Request):
    """A request whose body is refused when it is too large, also when it comes without a length.

    werkzeug cuts such a body at its limit without a word; read with a limit of one byte more, it shows.
    """

    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        """Return the body; raises RequestEntityTooLarge."""
        body = super().get_data(*args, **kwargs)
        if self.max_content_length is not None and len(body) >= self.max_content_length:
            raise RequestEntityTooLarge
        return body


def frame(app: Flask, parts: Platform) -> None:
    """Put the frame around `app`."""
    app.json = OrjsonProvider(app)
    app.request_class = BoundedRequest
    app.config["MAX_CONTENT_LENGTH"] = parts.max_body_bytes + 1
    # A redirect would lose the body of a POST; what is not exactly a path is unknown.
    app.url_map.merge_slashes = False
    if count := parts.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    if is_tracing():
        app.wsgi_app = traced(app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)
    handle_errors(app)


def _begin() -> None:
    g.started = time.perf_counter()
    g.request_id = take_request_id()
    context.begin(request_id=g.request_id)
    if "\0" in request.path:
        raise NotFound


def _finish(response: Response) -> Response:
    headers = response.headers
    fixed = [*SECURITY, ("X-Request-ID", g.request_id)]
    if "Content-Security-Policy" not in headers:
        fixed.append(DOCUMENTS if response.mimetype == "text/html" else NOTHING)
    if "Cache-Control" not in headers:
        fixed.append(("Cache-Control", "no-store"))
    if "standing" in g:
        fixed += rate_headers(g.standing)
    headers.extend((name, value) for name, value in fixed if name not in headers)
    if "Origin" in request.headers:
        _allow_origin(response)
    if response.status_code >= 400:
        _read_rest()
    note_answer(response.status_code, time.perf_counter() - g.started)
    return response


def _forget(_error: BaseException | None) -> None:
    context.begin()


def _read_rest() -> None:
    """Take in, within bounds, what a refused caller still sends: one that is cut off while sending hears no refusal."""
    if not request.environ.get("wsgi.input_terminated"):
        return
    body, deadline = request.environ["wsgi.input"], time.monotonic() + REST_SECONDS
    for _ in range(REST_BYTES // BLOCK):
        if not body.read(BLOCK) or time.monotonic() > deadline:
            return


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
