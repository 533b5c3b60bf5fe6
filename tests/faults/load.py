"""The load: threads of clients who POST mixed jobs with an Idempotency-Key until each is answered, and note what was
promised."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.chain import definition
from tests.faults.patience import Patience
from tests.faults.room.kinds import LONG, SHARES
from tests.support.callers import Reply, User

CLIENTS = 6
LEAST = 5
PAUSE = 0.3
RETRIED = (409, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Wish:
    """A job that a client wants: `number` is its place in the load, `cancel` asks for a cancel soon after the 202."""

    number: int
    kind: str
    seconds: float
    cancel: bool

    @property
    def ref(self) -> str:
        """The client's own name for it."""
        return f"wish-{self.number}"


@dataclass(frozen=True, slots=True)
class Promise:
    """A 202: the job's id, and for a pipeline its execution's."""

    wish: Wish
    job_id: str
    execution_id: str | None
    at: float
    tries: int


def make_wishes(seed: int, jobs: int, long_seconds: float) -> list[Wish]:
    """Return a mixed load: no-ops for the most part, of everything else a share and at least a few."""
    dice = random.Random(seed)
    kinds = [kind for kind, share in SHARES.items() for _ in range(max(LEAST, round(share * jobs)))]
    kinds = (kinds + ["noop"] * jobs)[:jobs]
    dice.shuffle(kinds)
    return [_wish(dice, number, kind, long_seconds) for number, kind in enumerate(kinds)]


def _wish(dice: random.Random, number: int, kind: str, long_seconds: float) -> Wish:
    seconds = {"sleep": dice.uniform(0.5, 4.0), "receipt": dice.uniform(0.0, 1.5), "ledger": dice.uniform(0.0, 2.0)}
    cancel = kind in ("sleep", "pipeline") and dice.random() < 0.15
    return Wish(number, kind, round(long_seconds if kind == LONG else seconds.get(kind, 0.0), 2), cancel)


class Load:
    """The clients. `promises` are the 202s, `refused` what was answered otherwise, `replies` counts all statuses."""

    def __init__(self, user: User, pipeline_id: str, wishes: list[Wish], seconds: float) -> None:
        """The wishes are spread over `seconds`."""
        self.promises: list[Promise] = []
        self.refused: list[tuple[Wish, int, bytes]] = []
        self.replies: Counter[str] = Counter()
        self._user = user
        self._pipeline_id = pipeline_id
        self._wishes = iter(wishes)
        self._pause = seconds / max(len(wishes), 1)
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._given_up = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CLIENTS)]

    def start(self) -> None:
        """Let the clients begin."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait until every wish is answered; False when none has been for so many seconds."""
        patience = Patience(seconds)
        while any(thread.is_alive() for thread in self._threads):
            if patience.is_at_its_end(-len(self.promises) - len(self.refused)):
                break
            time.sleep(PAUSE)
        self._given_up.set()
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        for wish in self._due():
            promise = self._ask(wish)
            if promise and wish.cancel:
                self._cancel(promise)

    def _due(self) -> Iterator[Wish]:
        while not self._given_up.is_set():
            with self._lock:
                wish = next(self._wishes, None)
            if wish is None:
                return
            self._given_up.wait(max(self._began + wish.number * self._pause - time.monotonic(), 0))
            yield wish

    def _ask(self, wish: Wish) -> Promise | None:
        path, body = self._request(wish)
        tries = 0
        while not self._given_up.is_set():
            tries += 1
            reply = self._post(path, body, wish.ref)
            if reply is None or reply.status in RETRIED:
                self._given_up.wait(PAUSE)
                continue
            return self._note(wish, reply, tries)
        return None

    def _request(self, wish: Wish) -> tuple[str, dict[str, object]]:
        if wish.kind == "pipeline":
            return f"/pipelines/{self._pipeline_id}/executions", {"variables": {"REF": wish.ref}}
        return "/trials", {"kind": wish.kind, "ref": wish.ref, "seconds": wish.seconds}

    def _note(self, wish: Wish, reply: Reply, tries: int) -> Promise | None:
        with self._lock:
            if reply.status != 202:
                self.refused.append((wish, reply.status, reply.body))
                return None
            data = reply.json["data"]
            execution_id = data["id"] if wish.kind == "pipeline" else None
            promise = Promise(wish, data["job_id"], execution_id, time.time(), tries)
            self.promises.append(promise)
            return promise

    def _cancel(self, promise: Promise) -> None:
        """Ask for the cancel until it is answered: 202, or 409 where the job was faster."""
        self._given_up.wait(0.7)
        while not self._given_up.is_set():
            reply = self._post(f"/jobs/{promise.job_id}/cancel", None, "")
            if reply and reply.status in (202, 409):
                return
            self._given_up.wait(PAUSE)

    def _post(self, path: str, body: dict[str, object] | None, key: str) -> Reply | None:
        keyed = {"Idempotency_Key": key} if key else {}
        try:
            reply = self._user.post(path, body, **keyed)
        except (OSError, http.client.HTTPException) as error:
            self._count(type(error).__name__)
            return None
        self._count(str(reply.status))
        return reply

    def _count(self, what: str) -> None:
        with self._lock:
            self.replies[what] += 1


def make_pipeline(user: User, repository_url: str, probe: str) -> str:
    """Make the pipeline that all executions run, and return its id."""
    workspace = user.make_workspace("Faults", repository_url)
    return user.make_pipeline(workspace, definition(probe))
