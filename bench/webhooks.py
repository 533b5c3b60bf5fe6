"""Webhooks: deliveries a second beside a bare `httpx` loop to the same receiver, how soon an event is delivered, and
what half of a thousand endpoints that answer nothing cost the others."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Engine

from app.kernel.db import Database
from app.kernel.events import announce
from app.tenancy import WorkspaceUpdated
from bench.caller import Caller, newcomer
from bench.findings import Finding, Goal, in_turns, median_ratio, percentile
from bench.ground import Ground
from workers.composition import open_worker_database

PROCESSES = ("web", "worker-deliveries", "relay")
EVENTS = 1500
ROUNDS = 3
AT_ONCE = 100
PACED = 1000
PER_SECOND = 100
ENDPOINTS = 1000
BEATS = 8
BEAT_SECONDS = 6.0
PATIENCE = 60.0

Came = list[tuple[str, float, float]]
"""Path, when it came, and when the event was announced, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """The receiver's process."""

    port: int
    process: subprocess.Popen[str]

    def say(self, words: str) -> list[Any]:
        """Tell it something, and return what it answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(words, file=self.process.stdin, flush=True)
        told: list[Any] = json.loads(self.process.stdout.readline())
        return told

    def wait_for(self, count: int, seconds: float = PATIENCE) -> Came:
        """Return what has come, once it is so much; raises RuntimeError."""
        came: Came = []
        deadline = time.monotonic() + seconds
        while len(came) < count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"of {count} deliveries {len(came)} came")
            time.sleep(0.1)
            came += [(path, at, _announced_at(body)) for path, at, body in self.say("tell")]
        return came


@dataclass(frozen=True, slots=True)
class Teller:
    """Announces events of a workspace."""

    database: Database
    organization_id: UUID
    workspace_id: UUID

    def tell(self, count: int = 1) -> None:
        """Announce some in one transaction, each with the time."""
        with self.database.transaction() as session:
            for _ in range(count):
                announce(session, WorkspaceUpdated(self.organization_id, self.workspace_id, (f"{time.time():.6f}",)))


def measure(ground: Ground) -> list[Finding]:
    """Deliver in a hurry, at a pace, and past the dead."""
    changed = {"ALLOW_PRIVATE_ADDRESSES": "true", "WEBHOOK_TIMEOUT_SECONDS": "5", "WORKER_DELIVERIES_CONCURRENCY": "1"}
    with _receiver() as receiver, ground.platform("webhooks", *PROCESSES, **changed) as ours:
        caller, database = newcomer(ours.base), open_worker_database(ours.settings)
        workspace = caller.api.get(f"/workspaces/{caller.workspace_id}").data
        teller = Teller(database, UUID(workspace["organization_id"]), UUID(caller.workspace_id))
        _listen(caller, receiver, "0")
        findings = [*_hurry(teller, receiver), *_pace(teller, receiver)]
        findings += _pass_the_dead(caller, teller, receiver)
        assert isinstance(database.bind, Engine)
        database.bind.dispose()
    return findings


@contextmanager
def _receiver() -> Iterator[Receiver]:
    command = [sys.executable, "-m", "bench.receiver"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Receiver(int(process.stdout.readline()), process)
        finally:
            process.terminate()


def _listen(caller: Caller, receiver: Receiver, path: str) -> None:
    body = {"url": f"http://127.0.0.1:{receiver.port}/{path}", "events": ["workspace.updated"], "concurrency": 20}
    caller.api.post("/webhooks", body)


def _announced_at(body: str) -> float:
    return float(json.loads(body)["data"]["changed"][0])


def _hurry(teller: Teller, receiver: Receiver) -> Iterator[Finding]:
    """As fast as it goes, by one worker process; the bare loop sends the same body, one after the other."""
    body = _body_of(teller, receiver)

    def ours() -> float:
        for _ in range(EVENTS // AT_ONCE):
            teller.tell(AT_ONCE)
        return _rate(receiver.wait_for(EVENTS))

    def bare() -> float:
        with httpx.Client() as client:
            for _ in range(EVENTS):
                client.post(f"http://127.0.0.1:{receiver.port}/bare", content=body)
        return _rate(receiver.wait_for(EVENTS))

    taken = in_turns(ROUNDS, {"ours": ours, "bare": bare})
    middle = sorted(taken["ours"])[ROUNDS // 2]
    beside = middle / median_ratio(taken["ours"], taken["bare"])
    yield Finding("deliveries a second, a worker", middle, "", "a bare httpx loop", beside)


def _body_of(teller: Teller, receiver: Receiver) -> str:
    teller.tell()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if told := receiver.say("tell"):
            return str(told[0][2])
        time.sleep(0.1)
    raise RuntimeError("nothing came")


def _rate(came: Came) -> float:
    times = [at for _, at, _ in came]
    return (len(times) - 1) / (max(times) - min(times))


def _pace(teller: Teller, receiver: Receiver) -> Iterator[Finding]:
    began = time.monotonic()
    for number in range(PACED):
        time.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
        teller.tell()
    seconds = [at - announced for _, at, announced in receiver.wait_for(PACED)]
    for share in (0.5, 0.99):
        what = f"an event, at {PER_SECOND} a second, until it is delivered, p{round(100 * share)}"
        yield Finding(what, 1e3 * percentile(seconds, share), "ms")


def _pass_the_dead(caller: Caller, teller: Teller, receiver: Receiver) -> Iterator[Finding]:
    for number in range(1, ENDPOINTS):
        _listen(caller, receiver, str(number))
    half = ENDPOINTS // 2
    _beat(teller, receiver, half)
    alone = _beat(teller, receiver, half)
    receiver.say(f"die {half}")
    _beat(teller, receiver, half)
    beside = _beat(teller, receiver, half)
    for share, goal in ((0.5, None), (0.99, Goal(1.1))):
        what = f"{half} endpoints of {ENDPOINTS}, until told, p{round(100 * share)}, the others black holes"
        found = (1e3 * percentile(seconds, share) for seconds in (beside, alone))
        yield Finding(what, next(found), "ms", "all alive", next(found), goal)


def _beat(teller: Teller, receiver: Receiver, half: int) -> list[float]:
    """Announce some events, one after the other; return in how many seconds each of the living was told."""
    for _ in range(BEATS):
        teller.tell()
        time.sleep(BEAT_SECONDS)
    came: Came = []
    deadline = time.monotonic() + PATIENCE
    while sum(int(path) >= half for path, _, _ in came) < BEATS * half:
        if time.monotonic() > deadline:
            raise RuntimeError("this machine is too busy to tell a thousand endpoints of an event in six seconds")
        came += [(path, at, _announced_at(body)) for path, at, body in receiver.say("tell")]
        time.sleep(0.1)
    return [at - announced for path, at, announced in came if int(path) >= half]
