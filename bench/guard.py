"""What it costs to know a caller and what they may: in the process that serves, and over the wire beside a route that
asks nobody who they are; there the difference includes the rate limiter, which asks Redis, and longer replies."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Flask, g

from app.factory import create_app
from bench.caller import API, newcomer
from bench.client import Connection, request_bytes
from bench.findings import Finding, Goal, in_turns
from bench.ground import Ground
from config.settings import Settings

RUNS = 400
# Longer than a caller is believed: what is seen anew again and again is part of the figure.
INSIDE_SECONDS = 12.0


class NoSender:
    """Sends no hint: nothing is accepted here."""

    def send(self, _hints: Sequence[Any]) -> Sequence[Any]:
        """Send nothing."""
        return []


def measure(ground: Ground) -> list[Finding]:
    """Ask in turns, over one connection; then let the same guard admit the same callers without a server."""
    with ground.platform("guard", "web") as ours:
        caller = newcomer(ours.base)
        key = caller.api.post("/api-keys", {"name": "bench", "scopes": ["jobs:read"]}).data["key"]
        credentials = {"token": caller.token, "key": key}
        inside = _inside(ours.settings, credentials)
        wire = _over_the_wire(Connection(ours.port), credentials)
    return [
        *(Finding(f"the guard, by {name}", inside[name], "ms", goal=Goal(1.0, on="figure")) for name in credentials),
        *(
            Finding(f"a guarded request, by {name}", wire[name], "ms", "unguarded", wire["nobody"])
            for name in credentials
        ),
    ]


def _over_the_wire(connection: Connection, credentials: dict[str, str]) -> dict[str, float]:
    ways: dict[str, Callable[[], float]] = {"nobody": partial(_ask, connection, "/health/live", "")}
    ways |= {name: partial(_ask, connection, f"{API}/auth/verify", text) for name, text in credentials.items()}
    for way in ways.values():
        way()
    return {name: 1e3 * statistics.median(seconds) for name, seconds in in_turns(RUNS, ways).items()}


def _ask(connection: Connection, path: str, token: str) -> float:
    request = request_bytes("GET", path, token=token)
    began = time.perf_counter()
    connection.send(request, 200)
    return time.perf_counter() - began


def _inside(settings: Settings, credentials: dict[str, str]) -> dict[str, float]:
    """Return the middle milliseconds of one guard's `admit`, without rate limits, by whom it admits."""
    app = create_app(replace(settings, rate_limits=False), sender=NoSender())
    taken: dict[str, list[float]] = {name: [] for name in credentials}
    until = time.perf_counter() + INSIDE_SECONDS
    while time.perf_counter() < until:
        for name, text in credentials.items():
            taken[name].append(_admit(app, text))
        time.sleep(0.005)
    return {name: 1e3 * statistics.median(seconds) for name, seconds in taken.items()}


def _admit(app: Flask, text: str) -> float:
    operation = app.blueprints["jobs"].operations["Jobs", "GET"]  # type: ignore[attr-defined]
    with app.test_request_context(f"{API}/jobs", headers={"Authorization": f"Bearer {text}"}):
        g.operation = operation
        began = time.perf_counter()
        operation.guard.admit()
        return time.perf_counter() - began
