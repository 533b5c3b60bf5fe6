"""The checker: reads the API alone, as a client does, and holds what it finds against what was promised."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.chain import find_breaks
from tests.faults.ground import Ground
from tests.faults.load import Load, Promise
from tests.faults.patience import Patience
from tests.faults.reading import Life, get, heard_life, life_of, pages, together
from tests.faults.room.kinds import PIPELINE
from tests.support.callers import Caller, Listener, Reply, User
from tests.support.platform import running_with
from workers.messages import make_celery

LOST = "WORKER_LOST"
WRITTEN = ("ledger", "receipt")
TICK_SECONDS = 20.0
PING_SECONDS = 5.0
GONE_SECONDS = 10.0
# Between two counts of a queue that is longer than the API counts: each reads all of it.
COUNT_SECONDS = 15.0


@dataclass(frozen=True)
class Verdict:
    """A check: what has to hold, of how many it was asked, and those of which it does not."""

    name: str
    checked: int
    faults: list[str]


class Checker:
    """Reads once, when all is calm; `jobs` and `lives` are what it read, by job id."""

    def __init__(self, ground: Ground, user: User, load: Load, listeners: dict[str, Listener], probe: str) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.lives: dict[str, Life] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self._ground = ground
        self._user = user
        self._load = load
        self._listeners = listeners
        self._probe = probe
        self._unended: list[dict[str, Any]] = []

    @property
    def promises(self) -> dict[str, Promise]:
        """The 202s by job id."""
        return {promise.job_id: promise for promise in self._load.promises}

    def settle(self, seconds: float) -> float | None:
        """Wait until no job is queued or running; returns after how long that was, None when for so many seconds there
        were never fewer."""
        began, patience = time.monotonic(), Patience(seconds)
        while True:
            self._ground.tick()
            found = [get(self._user, f"/jobs?status={status}&limit=20") for status in ("queued", "running")]
            self._unended = [job for page in found for job in page.data()]
            if not self._unended:
                return time.monotonic() - began
            if patience.is_at_its_end(sum(map(self._counted, found))):
                return None
            time.sleep(0.3)

    def _counted(self, page: Reply) -> int:
        """Return how many jobs a page is of; the API itself counts to a cap, beyond which a run's end is far away."""
        counted = page.json["meta"]["pagination"]
        if not counted["total_capped"]:
            return int(counted["total"])
        time.sleep(COUNT_SECONDS)
        return sum(1 for _ in pages(self._user, f"/jobs?status={page.data()[0]['status']}"))

    def verdicts(self) -> list[Verdict]:
        """Read everything and judge it."""
        self.jobs = {job["id"]: job for job in pages(self._user, "/jobs?sort=created_at")}
        ids = list(self.promises)
        self.lives = dict(zip(ids, together(lambda job_id: life_of(self._user, job_id), ids), strict=True))
        started = [promise.execution_id for promise in self.promises.values() if promise.execution_id]
        shown = together(lambda found: get(self._user, f"/executions/{found}").data(), started)
        self.executions = {execution["job_id"]: execution for execution in shown}
        return [
            Verdict("no job queued or running", len(self.jobs), [_name(job) for job in self._unended]),
            Verdict("nothing refused, nothing broken inside", len(self._load.promises), self._refusals()),
            self._each("one final state, one final event, ids 1..n", self._life_faults),
            self._each("ended as it had to", self._end_faults),
            Verdict("no job that nobody was promised", len(ids), self._surplus()),
            self._ledger(),
            self._logs(shown),
            Verdict("executions and their streams end once", len(shown), self._executions(shown)),
            Verdict("listeners heard what is stored", len(self._listeners), self._unheard()),
            Verdict("all workers answer, beat goes on", 4, self._catatonic()),
            Verdict("nothing outlived its step", 1, self._strays()),
            Verdict("all stopped when told to", 1, self._ground.stuck),
        ]

    def left_behind(self) -> Verdict:
        """Judge what is left when the platform has been stopped."""
        left = [f"process {birth.pid}" for birth in [*self._ground.carriers(), *running_with(self._probe)]]
        return Verdict("no process left behind", 1, left)

    def _each(self, name: str, judge: Callable[[Promise], list[str]]) -> Verdict:
        found = [
            f"{promise.wish.ref} ({promise.wish.kind}, {promise.job_id}): {fault}"
            for promise in self.promises.values()
            for fault in judge(promise)
        ]
        return Verdict(name, len(self.promises), found)

    def _life_faults(self, promise: Promise) -> list[str]:
        life, job = self.lives[promise.job_id], self.jobs.get(promise.job_id)
        if job is None:
            return ["is not in the list"]
        last = life.events[-1][2]["status"] if life.events else None
        return life.faults() + ([] if last == job["status"] else [f"is {job['status']}, its stream says {last}"])

    def _end_faults(self, promise: Promise) -> list[str]:
        job = self.jobs.get(promise.job_id, {})
        allowed = {"succeeded", "cancelled"} if promise.wish.cancel else {"succeeded"}
        if job.get("status") in allowed or (promise.wish.kind == PIPELINE and self._is_lost(job)):
            return []
        return [f"{job.get('status')} {job.get('error')}"]

    def _is_lost(self, job: dict[str, Any]) -> bool:
        """Whether it failed truthfully: a stage, whose attempts are three, lost its worker in the last of them."""
        stages = self.executions.get(job.get("id", ""), {}).get("stages", [])
        parts = [job, *(self.jobs.get(stage["job_id"] or "", {}) for stage in stages)]
        failed = [part for part in parts if part.get("status") == "failed"]
        return any(part["error"]["code"] == LOST and part["attempt"] == part["max_attempts"] for part in failed)

    def _refusals(self) -> list[str]:
        refused = [f"{wish.ref} ({wish.kind}): {status} {body[:200]!r}" for wish, status, body in self._load.refused]
        broken = self._load.replies["500"]
        return refused + ([f"500 was answered {broken} times"] if broken else [])

    def _surplus(self) -> list[str]:
        tops = ("faults.", "pipelines.execute")
        return [
            _name(job) for key, job in self.jobs.items() if job["kind"].startswith(tops) and key not in self.promises
        ]

    def _ledger(self) -> Verdict:
        written = Counter(entry["ref"] for entry in pages(self._user, "/ledger"))
        wanted = {promise.wish.ref for promise in self.promises.values() if promise.wish.kind in WRITTEN}
        wrong = [f"{ref}: {written[ref]} times" for ref in wanted | set(written) if written[ref] != (ref in wanted)]
        return Verdict("each ledger effect exactly once", len(wanted), wrong)

    def _logs(self, executions: list[dict[str, Any]]) -> Verdict:
        steps = [
            (execution["id"], stage["name"], step)
            for execution in executions
            for stage in execution["stages"]
            for step in stage["steps"]
            if step["attempt"] > 0
        ]
        found = together(lambda step: self._breaks(*step), steps)
        return Verdict("each log whole, by its hash chain", len(steps), [fault for faults in found for fault in faults])

    def _breaks(self, execution_id: str, stage: str, step: dict[str, Any]) -> list[str]:
        path = f"/executions/{execution_id}/logs/{stage}/{step['name']}?limit=10000"
        reply = get(self._user, path)
        if reply.status != 200:
            return [f"{path}: {reply.status}"]
        return [f"{path}: {fault}" for fault in find_breaks(reply.data()["logs"], whole=step["status"] == "succeeded")]

    def _executions(self, executions: list[dict[str, Any]]) -> list[str]:
        return [fault for faults in together(self._execution_faults, executions) for fault in faults]

    def _execution_faults(self, execution: dict[str, Any]) -> list[str]:
        events = get(self._user, f"/executions/{execution['id']}/events", Accept="application/json").data()
        ids = [int(event["id"]) for event in events]
        ends = [place for place, event in enumerate(events, 1) if event["type"] == "execution.finished"]
        right = ids == list(range(1, len(ids) + 1)) and ends == [len(events)]
        job = self.jobs.get(execution["job_id"], {})
        same = job.get("status") == execution["status"] or execution["status"] == "timed_out"
        return (
            [] if right and same else [f"{execution['id']}: {execution['status']}, events {ids[-3:]}, ends at {ends}"]
        )

    def _unheard(self) -> list[str]:
        return [job_id for job_id, one in self._listeners.items() if heard_life(one.end()) != self.lives[job_id]]

    def _catatonic(self) -> list[str]:
        wanted = sum(name.startswith("worker") for name in self._ground.platform.names)
        with make_celery(self._ground.servers["redis"].url, socket_timeout=PING_SECONDS) as celery:
            answers = celery.control.ping(timeout=PING_SECONDS, limit=wanted)
        silent = [] if len(answers) == wanted else [f"{len(answers)} of {wanted} workers answered"]
        return silent + self._beat_faults()

    def _beat_faults(self) -> list[str]:
        admin = self._admin()
        before, deadline = self._newest_tick(admin), time.monotonic() + TICK_SECONDS
        while time.monotonic() < deadline:
            if self._newest_tick(admin) != before:
                return []
            time.sleep(0.3)
        return ["no tick came"]

    def _admin(self) -> Caller:
        password = self._ground.platform.environment["ADMIN_PASSWORD"]
        caller = Caller(self._user.base)
        login = caller.post("/auth/login", {"username": "admin", "password": password})
        return Caller(self._user.base, login.data()["access_token"])

    def _newest_tick(self, admin: Caller) -> list[Any]:
        rows: list[Any] = get(admin, "/jobs?kind=faults.tick&sort=-created_at&limit=1").data()
        return [row["id"] for row in rows]

    def _strays(self) -> list[str]:
        deadline = time.monotonic() + GONE_SECONDS
        while (left := running_with(self._probe)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [f"process {birth.pid}" for birth in left]


def _name(job: dict[str, Any]) -> str:
    return f"{job['kind']} {job['id']} {job['status']} attempt {job['attempt']} {job['progress']['message'] or ''}"
