"""A small Flask application that hands streams over, for gunicorn to serve in tests."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Response, g, jsonify, request

from app.http.frame import Application
from app.http.handshakes import shake_hands
from app.http.streams import hand_over
from app.kernel.errors import Refusal
from app.kernel.handover import StreamRequest

app = Application(__name__)
SOCKET = Path(os.environ["STREAM_SOCKET"])


@app.get("/plain")
def plain() -> str:
    """Answer at once."""
    return "plain"


@app.get("/events")
def events() -> Response:
    """Stream the topics named in the query."""
    names = ("topics", "ends_on")
    topics, ends_on = (tuple(filter(None, request.args.get(name, "").split(","))) for name in names)
    return hand_over(StreamRequest("events", topics, ends_on, session_id=request.args.get("login")), SOCKET)


@app.get("/log/<step_id>")
def log(step_id: str) -> Response:
    """Stream the log of a step."""
    return hand_over(StreamRequest("log", (f"log:{step_id}",)), SOCKET)


@app.get("/ws")
def websocket() -> Response:
    """Open a WebSocket."""
    return hand_over(StreamRequest("events", (), protocol="websocket"), SOCKET, shake_hands())


@app.before_request
def take_id() -> None:
    """Remember the request's id."""
    g.request_id = request.headers.get("X-Request-ID", "none")


@app.after_request
def give_id(response: Response) -> Response:
    """Show the request's id, as the API does."""
    response.headers["X-Request-ID"] = g.request_id
    return response


@app.errorhandler(Refusal)
def refuse(error: Refusal) -> Response:
    """Answer with the code."""
    response = jsonify(code=error.code, fields=[fault.field for fault in error.errors])
    response.status_code = error.status
    response.headers.update(error.headers)
    return response
