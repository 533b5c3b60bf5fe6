"""Flask and nothing else: what a request costs at least under the same server."""

from __future__ import annotations

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)


@app.get("/health/ready")
def ready() -> ResponseReturnValue:
    """Answer that it runs."""
    return jsonify(status="healthy")


@app.post("/executions")
def start() -> ResponseReturnValue:
    """Read a body, accept it, do nothing."""
    return jsonify(received=request.get_json()), 202
