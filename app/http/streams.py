"""Streams at the API's own address: the view decides, then the client's socket goes to the stream process.

gunicorn's threads are few and a stream may last for days, so none of them may serve one.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Response, current_app, g, request

from app.http.guards import principal
from app.http.handshakes import shake_hands
from app.http.platform import platform
from app.kernel.clock import format_time
from app.kernel.errors import FieldError, Invalid, Unavailable
from app.kernel.handover import Handover, HandoverFailed, StreamRequest

RETRY_AFTER = {"Retry-After": "2"}


def open_stream(asked: StreamRequest) -> Response:
    """Return the reply that streams what is asked for to the caller of this request; raises as `hand_over` does."""
    caller = principal()
    asked = replace(
        asked,
        user_id=str(caller.user_id),
        session_id=str(caller.session_id) if caller.session_id else None,
        key_id=str(caller.key_id) if caller.key_id else None,
        permission=g.operation.guard.permission or "",
        expires_at=format_time(caller.expires_at) if caller.expires_at else None,
    )
    return hand_over(asked, platform().stream_socket)


def open_websocket(asked: StreamRequest) -> Response:
    """Return the reply that makes this request's connection a WebSocket, on which the caller is yet to say who it is.

    Raises as `shake_hands` and `hand_over` do.
    """
    accepting = shake_hands()
    asked = replace(asked, protocol="websocket", address=request.remote_addr)
    return hand_over(asked, platform().stream_socket, accepting)


def hand_over(asked: StreamRequest, socket_path: Path, accepting: Sequence[tuple[str, str]] = ()) -> Response:
    """Return the reply that hands this request's socket to the stream process at `socket_path`.

    Raises Invalid for a junk Last-Event-ID, Unavailable when the stream process is away or full, or when the server in
    front is one whose sockets cannot be handed over (TLS and HTTP/2 belong to a proxy before gunicorn). `accepting` are
    the headers that accept the handshake of a WebSocket.
    """
    resume_at = request.headers.get("Last-Event-ID") or request.args.get("last_event_id")
    asked = replace(asked, last_event_id=resume_at or asked.last_event_id).normalized()
    try:
        asked.position()
    except ValueError as error:
        raise Invalid(errors=[FieldError("Last-Event-ID", str(error))]) from None
    if request.method == "HEAD":
        return Response(content_type="text/event-stream; charset=utf-8")
    try:
        reply = StreamReply(asked, _client_socket(), Handover(socket_path))
    except HandoverFailed as error:
        raise Unavailable(str(error), headers=RETRY_AFTER) from error
    reply.headers.extend(accepting)
    return reply


class StreamReply(Response):
    """A reply that another process writes; the headers it has collected on the way out go along."""

    def __init__(self, asked: StreamRequest, client: socket.socket, place: Handover) -> None:
        status = 101 if asked.protocol == "websocket" else 200
        super().__init__(status=status, content_type="text/event-stream; charset=utf-8")
        self._asked = asked
        self._client = client
        self._place = place

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Pass the socket on; raises StopIteration, which gunicorn takes as "close without a word"."""
        try:
            self._place.pass_socket(self._client, replace(self._asked, headers=tuple(self.headers.items())))
        except HandoverFailed as error:
            refusal = current_app.handle_user_exception(Unavailable(str(error), headers=RETRY_AFTER))
            return current_app.finalize_request(refusal)(environ, start_response)
        _let_go(self._client)
        raise StopIteration


def _client_socket() -> socket.socket:
    client = request.environ.get("gunicorn.socket")
    if not isinstance(client, socket.socket) or isinstance(client, ssl.SSLSocket):
        raise HandoverFailed("this server cannot hand over a connection")
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/2":
        raise HandoverFailed("a stream needs a connection of its own")
    return client


def _let_go(client: socket.socket) -> None:
    """Put a dead socket in the place of the client's: gunicorn shuts down what it closes, which would end the stream,
    for a shutdown is seen by every holder of a socket."""
    ours, other = socket.socketpair()
    with ours, other:
        with suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)
        os.dup2(ours.fileno(), client.fileno())
