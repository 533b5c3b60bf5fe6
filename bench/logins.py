"""Logins: one beside argon2 alone, a thousand attempts in a second beside somebody who only reads, refreshes at once.

Each attempt names somebody else, so that none is refused before its password is looked at: how many hashes are made at
once is bounded, the rest is told to come again.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from argon2 import PasswordHasher

from bench.caller import API
from bench.client import Connection, request_bytes
from bench.findings import Finding, Goal, in_turns, median_ratio, percentile
from bench.ground import Ground
from launcher.demo.api import Api

LOGINS = 30
ATTEMPTS = 1000
ATTEMPTS_SECONDS = 1.0
QUIET_SECONDS = 3.0
PATIENCE_SECONDS = 120.0
REFRESHERS = 16
ROUNDS = 1000
ROOMY = {"RATE_LIMIT_REFRESH": "900000000/hour"}


def measure(ground: Ground) -> list[Finding]:
    """Flood the logins of a platform, then refresh one login sixteen times at once, a thousand times over."""
    with ground.platform("logins", "web", **ROOMY) as ours:
        login = _register(Api(ours.base))
        logins, hashes = _log_in(ours.port, login["username"], login["password"])
        request = request_bytes("GET", f"{API}/auth/verify", token=login["access_token"])
        with _reading(ours.port, request) as quiet:
            time.sleep(QUIET_SECONDS)
        with _reading(ours.port, request) as flooded:
            answers = asyncio.run(_flood(ours.port))
        lost, seconds = _refresh(ours.port, login["refresh_token"])
    said = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
    reads = {share: (1e3 * percentile(quiet, share), 1e3 * percentile(flooded, share)) for share in (0.5, 0.95)}
    median = 1e3 * statistics.median(logins)
    return [
        Finding("a login, p50", median, "ms", "argon2 alone", median / median_ratio(logins, hashes), Goal(1.2)),
        Finding("a read while 1,000 log in within a second, p50", reads[0.5][1], "ms", "quiet", reads[0.5][0]),
        Finding("the same, p95", reads[0.95][1], "ms", "quiet", reads[0.95][0], Goal(1000, on="figure")),
        Finding(
            f"attempts answered ({said})", ATTEMPTS - answers["none"], goal=Goal(ATTEMPTS, "figure", at_least=True)
        ),
        Finding(f"of {ROUNDS:,} times {REFRESHERS} refreshes at once, lost", lost, goal=Goal(0, on="figure")),
        Finding("refreshes a second", REFRESHERS * ROUNDS / seconds),
    ]


def _register(api: Api) -> dict[str, str]:
    name = f"bench-{secrets.token_hex(4)}"
    account = {"username": name, "email": f"{name}@example.com", "password": secrets.token_urlsafe(18)}
    made: dict[str, str] = api.post("/auth/register", {**account, "delivery": "body"}).data
    return {**made, "username": name, "password": account["password"]}


def _log_in(port: int, username: str, password: str) -> tuple[list[float], list[float]]:
    """Return the seconds of logins, and of the password's check alone, in turns."""
    connection, hasher = Connection(port), PasswordHasher()
    request = request_bytes("POST", f"{API}/auth/login", body={"username": username, "password": password})
    known = hasher.hash(password)
    login = partial(connection.send, request, 200)
    taken = in_turns(
        LOGINS, {"login": partial(_timed, login), "hash": partial(_timed, partial(hasher.verify, known, password))}
    )
    connection.close()
    return taken["login"], taken["hash"]


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


@contextmanager
def _reading(port: int, request: bytes) -> Iterator[list[float]]:
    """Let somebody send a request again and again, and keep how long each took."""
    taken: list[float] = []
    is_over = threading.Event()

    def read() -> None:
        connection = Connection(port)
        while not is_over.is_set():
            began = time.perf_counter()
            try:
                connection.send(request, 200)
            except (OSError, RuntimeError):
                # As slow as its patience: a read that gets no answer is the worst of all.
                connection = Connection(port)
            taken.append(time.perf_counter() - began)
        connection.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield taken
    finally:
        is_over.set()
        reader.join()


async def _flood(port: int) -> Counter[str]:
    """Send all attempts within a second, whatever becomes of those before; return how many had which answer."""
    attempts = [_attempt(port, number * ATTEMPTS_SECONDS / ATTEMPTS) for number in range(ATTEMPTS)]
    return Counter(await asyncio.gather(*attempts))


async def _attempt(port: int, after: float) -> str:
    body = {"username": f"nobody-{secrets.token_hex(6)}", "password": "not the password of anybody"}
    await asyncio.sleep(after)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes("POST", f"{API}/auth/login", body=body, Connection="close"))
            reply = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return "none"
    return reply[9:12].decode() or "none"


def _refresh(port: int, token: str) -> tuple[int, float]:
    """Send one refresh token from many at once, then what they got for it; return how many got none, and the time."""
    tokens, given, lost = [token], list[str](), list[str]()

    def go_on() -> None:
        tokens[:] = given[-1:] or tokens
        given.clear()

    barrier = threading.Barrier(REFRESHERS, action=go_on)

    def refresh() -> None:
        connection = Connection(port)
        for _ in range(ROUNDS):
            barrier.wait(PATIENCE_SECONDS)
            request = request_bytes("POST", f"{API}/auth/refresh", body={"refresh_token": tokens[0]})
            try:
                given.append(json.loads(connection.send(request, 200))["data"]["refresh_token"])
            except RuntimeError as error:
                lost.append(str(error))
        connection.close()

    threads = [threading.Thread(target=refresh) for _ in range(REFRESHERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(lost), time.perf_counter() - began
