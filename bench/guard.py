"""What it costs to know a caller and what they may: a guarded route that does nothing else beside one that asks nobody
who they are. The difference includes the rate limiter, which asks Redis."""

from __future__ import annotations

import statistics
import time
from functools import partial

from bench.caller import API, newcomer
from bench.client import Connection, request_bytes
from bench.findings import Finding, Goal, in_turns
from bench.ground import Ground

RUNS = 400


def measure(ground: Ground) -> list[Finding]:
    """Ask in turns, over one connection."""
    with ground.platform("guard", "web") as ours:
        caller = newcomer(ours.base)
        key = caller.api.post("/api-keys", {"name": "bench", "scopes": ["jobs:read"]}).data["key"]
        connection = Connection(ours.port)
        ways = {
            "token": partial(_ask, connection, f"{API}/auth/verify", caller.token),
            "key": partial(_ask, connection, f"{API}/auth/verify", key),
            "nobody": partial(_ask, connection, "/health/live", ""),
        }
        for way in ways.values():
            way()
        taken = in_turns(RUNS, ways)
    middle = {name: 1e3 * statistics.median(seconds) for name, seconds in taken.items()}
    return [
        Finding(f"the guard, by {name}", middle[name], "ms", "unguarded", middle["nobody"], Goal(1.0, on="difference"))
        for name in ("token", "key")
    ]


def _ask(connection: Connection, path: str, token: str) -> float:
    request = request_bytes("GET", path, token=token)
    began = time.perf_counter()
    connection.send(request, 200)
    return time.perf_counter() - began
