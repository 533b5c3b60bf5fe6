"""Follows an execution to its end: its events in one thread, the log of each running step in one of its own."""

import threading
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from launcher.demo.api import Api, Event
from launcher.demo.screen import Screen
from launcher.processes import LaunchError

FINAL = ("succeeded", "failed", "cancelled", "timed_out", "skipped")
LAST_LINES_SECONDS = 30.0


@dataclass
class StepLog:
    """The log of one step, followed in a thread while the server has it open; a later attempt opens it again."""

    api: Api
    screen: Screen
    source: str
    path: str
    _last_id: str = ""
    _thread: threading.Thread | None = None

    def open(self) -> None:
        """Follows on from the last line shown, unless that is going on."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._follow, daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Returns when every line that was written is shown."""
        if self._thread:
            self._thread.join(LAST_LINES_SECONDS)
        # Lines of an attempt that began just as the stream of the one before was ending.
        self.open()
        if self._thread:
            self._thread.join(LAST_LINES_SECONDS)

    def _follow(self) -> None:
        try:
            for event in self.api.follow(self.path, self._last_id):
                if event.type == "log":
                    self.screen.show_lines(self.source, [str(line["message"]) for line in event.data["data"]["lines"]])
                    self._last_id = event.id
        except LaunchError as error:
            self.screen.say(f"{self.source}: {error}", "red")


@dataclass
class Follower:
    """One execution as far as it has been heard of."""

    api: Api
    screen: Screen
    execution: dict[str, Any]
    _statuses: dict[tuple[str, str], str] = field(default_factory=dict)
    _logs: dict[tuple[str, str], StepLog] = field(default_factory=dict)

    def follow(self) -> None:
        """Returns when the execution has ended and every line of its logs was shown."""
        for stage in self.execution["stages"]:
            for step in stage["steps"]:
                self._statuses[stage["name"], step["name"]] = step["status"]
        with self.screen.progress():
            for event in self.api.follow(f"/executions/{self.execution['id']}/events"):
                self._hear(event)
            for log in self._logs.values():
                log.finish()

    def _hear(self, event: Event) -> None:
        moved = event.data.get("data") or {}
        status, stage, step = str(moved.get("status")), moved.get("stage"), moved.get("step")
        if event.type == "step.status" and stage and step:
            self._hear_step(stage, step, moved)
        elif event.type == "stage.status" and stage:
            self.screen.show_status(stage, status, f": {moved['reason']}" if moved.get("reason") else "")
        elif event.type == "execution.status":
            self.screen.show_status("execution", status)
        self._show_progress()

    def _hear_step(self, stage: str, step: str, moved: dict[str, Any]) -> None:
        status = self._statuses[stage, step] = str(moved["status"])
        if moved.get("attempt"):
            self._log(stage, step).open()
        if status in FINAL:
            code = moved.get("exit_code")
            self.screen.show_status(f"{stage} / {step}", status, f" with exit code {code}" if code else "")

    def _log(self, stage: str, step: str) -> StepLog:
        if (stage, step) not in self._logs:
            path = f"/executions/{self.execution['id']}/logs/{quote(stage, safe='')}/{quote(step, safe='')}?follow=true"
            self._logs[stage, step] = StepLog(self.api, self.screen, f"{stage} / {step}", path)
        return self._logs[stage, step]

    def _show_progress(self) -> None:
        ended = sum(status in FINAL for status in self._statuses.values())
        running = [step for (_, step), status in self._statuses.items() if status == "running"]
        self.screen.advance(100 * ended / max(1, len(self._statuses)), ", ".join(running) or "waiting")
