"""A million short lines: captured, kept with their rows, and shown, beside `cat > file` behind the same program."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from app import jobs
from app.kernel.db import Database
from app.pipelines import Briefing
from bench.caller import ONE_STEP, newcomer
from bench.client import Connection, request_bytes
from bench.findings import Finding, Goal, in_turns
from bench.ground import Ground, Programs
from tasks.pipelines.gateways.sandbox import Limits, StepCommand
from tasks.pipelines.masking import Masker
from tasks.pipelines.record_here import RecordHere
from tasks.pipelines.step_log import StepLog
from tasks.tools import Tools
from workers.composition import open_tools, open_worker_database

LINES = 1_000_000
PRINT = f"seq -f 'line %.0f of a step that prints' {LINES}"
ROUNDS = 3
LEASE_SECONDS = 3600
SECRETS = ("one secret as any step has", "another-0123456789")
READ_BYTES = 1 << 18
PIPE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over all lines: seconds of wall, and of this process's own processor time."""

    wall: float
    cpu: float


class Log:
    """The logs of one step: each pass is an attempt of its own."""

    def __init__(self, programs: Programs, workspace: Path, execution: dict[str, Any]) -> None:
        self.database: Database = open_worker_database(programs.settings)
        self.tools: Tools = open_tools(programs.settings)
        with self.database.transaction() as session:
            claimed = jobs.claim(session, UUID(execution["job_id"]), "bench:1", LEASE_SECONDS)
        if claimed is None:
            raise RuntimeError("the job of the execution is not there to be claimed")
        self._run = jobs.Run(self.database, claimed)
        # It needs no briefing to write lines.
        self._recorder = RecordHere(self._run, self.tools, cast("Briefing", None))
        self._workspace = workspace
        self._step_id = UUID(execution["stages"][0]["steps"][0]["id"])
        self.attempts = 0

    def cat(self) -> None:
        """Let `cat` read the pipe and write a file: the bare part."""
        subprocess.run(["sh", "-c", f"{PRINT} | cat > {self._workspace}/copy"], check=True)

    def capture(self) -> None:
        """Read from a pipe and keep."""
        source = subprocess.Popen(["sh", "-c", PRINT], stdout=subprocess.PIPE, pipesize=PIPE_BYTES)
        with source, self._attempt() as log:
            while data := os.read(source.stdout.fileno(), READ_BYTES):  # type: ignore[union-attr]
                log.write("stdout", data)
                log.flush_if_due()

    def run_step(self) -> None:
        """Run a step in the sandbox and keep what it prints."""
        limits = Limits(300.0, memory_bytes=2 << 30, processes=512)
        command = StepCommand(PRINT, self._workspace, ".", {}, limits, network=False)
        with self._attempt() as log:

            def should_stop() -> bool:
                log.flush_if_due()
                return False

            self.tools.sandbox.run(command, log.write, should_stop)

    def _attempt(self) -> StepLog:
        self.attempts += 1
        return StepLog(self._run, self._recorder, Masker(SECRETS), self._step_id, self.attempts)


def measure(ground: Ground) -> list[Finding]:
    """Pass over the lines in each way, in turns."""
    with ground.platform("logs", "web") as programs:
        caller = newcomer(programs.base)
        execution = caller.start(caller.pipeline(ONE_STEP))
        workspace = ground.folder / "lines"
        workspace.mkdir()
        log = Log(programs, workspace, execution)
        ways = {"cat > file": log.cat, "capture": log.capture, "step": log.run_step}
        taken = in_turns(ROUNDS, {name: _timed(way) for name, way in ways.items()})
        shown = _show(programs, caller.token, execution["stages"][0]["steps"][0]["logs_url"], log.attempts)
        log.database.bind.engine.dispose()
    return _compare(taken, shown)


def _timed(way: Callable[[], None]) -> Callable[[], Pass]:
    def timed() -> Pass:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        way()
        after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
        return Pass(took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    return timed


def _show(programs: Programs, token: str, path: str, attempt: int) -> float:
    """Return the seconds in which the API shows the whole log as text; raises RuntimeError when lines are missing."""
    request = request_bytes("GET", f"{path}?attempt={attempt}", token=token, Accept="text/plain", Connection="close")
    began, size = time.perf_counter(), 0
    with Connection(programs.port).socket as client:
        client.sendall(request)
        while part := client.recv(1 << 20):
            size += part.count(b"\n")
    if size < LINES:
        raise RuntimeError(f"the log shows {size} lines")
    return time.perf_counter() - began


def _compare(taken: dict[str, list[Pass]], shown: float) -> list[Finding]:
    rate = {name: statistics.median(LINES / one.wall / 1e6 for one in passes) for name, passes in taken.items()}
    cpu = {name: statistics.median(1e6 * one.cpu / LINES for one in passes) for name, passes in taken.items()}
    bare = rate["cat > file"]
    return [
        Finding("log lines kept", rate["capture"], "M/s", "cat > file", bare, Goal(0.7, at_least=True)),
        Finding("the same, CPU a line", cpu["capture"], "µs", goal=Goal(0.5, "figure")),
        Finding(
            "log lines kept of a sandboxed step", rate["step"], "M/s", "cat > file", bare, Goal(0.7, at_least=True)
        ),
        Finding("the same, CPU a line", cpu["step"], "µs", goal=Goal(0.5, "figure")),
        Finding("log lines shown as text", LINES / shown / 1e6, "M/s", "cat > file", bare),
    ]
