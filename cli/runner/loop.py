"""The runner's loop: asks for stages while it has room, runs each in a thread, and leaves when it is told to."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from app.jobs import LeaseLost
from app.kernel.errors import HeadraceError
from app.runners import Assignment, assignment_from_json
from cli.runner.api import RunnerApi, TokenRefused
from cli.runner.home import Health, Home
from cli.runner.stage import run_assignment
from tasks.tools import Workbench

log = logging.getLogger(__name__)

PROTOCOL: Final = 1
WAIT_SECONDS: Final = 15.0
LONGEST_PAUSE: Final = 30.0
HEALTH_SECONDS: Final = 5.0
REVOKED: Final = 3


class Stopping:
    """When this runner was told to stop: for `grace` seconds from then on stages may end, then they are handed back.
    Told twice, they are handed back at once."""

    def __init__(self, grace: float) -> None:
        self.asked = threading.Event()
        self._grace = grace
        self._asked_at = 0.0

    def ask(self) -> None:
        """Stop; what a signal's handler calls."""
        if self.asked.is_set():
            self._grace = 0.0
        else:
            self._asked_at = time.monotonic()
            self.asked.set()

    def is_due(self) -> bool:
        """Tell whether stages are to be handed back."""
        return self.asked.is_set() and time.monotonic() - self._asked_at >= self._grace


@dataclass(slots=True)
class RunnerLoop:
    """One runner at work. `said` is what it tells of itself with each question."""

    api: RunnerApi
    home: Home
    bench: Workbench
    capacity: int
    said: dict[str, Any]
    stopping: Stopping
    _running: dict[str, threading.Thread] = field(default_factory=dict)
    _done: int = 0
    _connected: bool | None = None
    _draining: bool = False
    _fault: str | None = None
    _told_at: float = 0.0
    _told: tuple[object, ...] = ()
    _failures: int = 0

    def run(self) -> int:
        """Work until told to stop and return 0, or REVOKED when the platform does not know this runner any more."""
        try:
            while not self.stopping.asked.is_set():
                self._look()
            log.info("stopping; %s stages at hand", len(self._running))
            self._finish()
        except TokenRefused as error:
            log.error("%s It is not a runner any more.", error.message)
            self.stopping.ask()
            self.stopping.ask()
            self._finish()
            return REVOKED
        return 0

    def _look(self) -> None:
        self._forget_ended()
        self._tell()
        if len(self._running) >= self.capacity:
            self._pause(0.2)
            return
        try:
            answer = self._ask()
        except LeaseLost as error:
            self._note_failure(error)
        except TokenRefused:
            raise
        except HeadraceError as error:
            self._note_failure(error)
        else:
            self._take(answer)

    def _ask(self) -> dict[str, Any]:
        # With stages at hand a long question would hide their ends; the first one tells whether the platform hears it.
        wait = WAIT_SECONDS if self._connected and not self._running else 0.0
        asked = {**self.said, "protocol": PROTOCOL, "wait": wait, "holding": list(self._running)}
        answer: dict[str, Any] = self.api.post("/runner/claim", asked)
        return answer

    def _take(self, answer: dict[str, Any]) -> None:
        if not self._connected:
            log.info("connected")
        self._connected, self._fault, self._failures = True, None, 0
        self._draining = answer["draining"]
        self._tell()
        if answer["assignment"] is None:
            # Not in step with other runners.
            self._pause(answer["retry_after"] * random.uniform(0.8, 1.2))  # noqa: S311
            return
        try:
            given = assignment_from_json(answer["assignment"])
        except (KeyError, TypeError, ValueError):
            # Not named with the next question, it goes elsewhere.
            log.exception("what the platform gave cannot be read; is this runner of its version?")
            self._pause(LONGEST_PAUSE)
            return
        thread = threading.Thread(target=self._do, args=(given,), name=f"stage-{given.job_id}")
        self._running[str(given.job_id)] = thread
        thread.start()

    def _do(self, given: Assignment) -> None:
        place = f"{given.briefing.plan.pipeline}/{given.briefing.planned.name}"
        log.info("runs %s, attempt %s of job %s", place, given.attempt, given.job_id)
        ended = run_assignment(self.api, self.bench, given, self.stopping.is_due)
        log.info("%s of job %s: %s", place, given.job_id, ended)

    def _note_failure(self, error: HeadraceError) -> None:
        """Wait longer after each failure, and not in step with other runners."""
        self._connected, self._fault = False, error.message
        self._failures += 1
        ceiling = min(2.0 ** min(self._failures, 6), LONGEST_PAUSE)
        log.warning("the platform does not give work: %s", error.message)
        self._pause(random.uniform(ceiling / 4, ceiling))  # noqa: S311 - spreads retries, keeps no secret

    def _forget_ended(self) -> None:
        for job_id, thread in list(self._running.items()):
            if not thread.is_alive():
                del self._running[job_id]
                self._done += 1

    def _finish(self) -> None:
        """Wait for the stages at hand: they end, or are handed back."""
        while self._running:
            self._forget_ended()
            self._tell()
            time.sleep(0.1)
        self._tell()

    def _pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of a stage or the order to stop."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.stopping.asked.wait(0.1):
            self._tell()
            if any(not thread.is_alive() for thread in self._running.values()):
                return

    def _tell(self) -> None:
        """Keep how it goes: at once when it changes, and now and then to show that this process lives."""
        draining = self._draining or self.stopping.asked.is_set()
        state = (self._connected, draining, list(self._running), self._done, self._fault)
        if state == self._told and time.monotonic() - self._told_at < HEALTH_SECONDS:
            return
        self._told, self._told_at = state, time.monotonic()
        self.home.tell_health(Health(os.getpid(), *state, time.time()))
