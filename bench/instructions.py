"""Instructions, SQL statements and Redis round trips of one request: what the neighbours' load cannot change."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis

from bench.caller import API, FOUR_STAGES, ONE_STEP, newcomer
from bench.findings import Finding, Goal
from bench.ground import ROOT, Ground, Programs
from bench.textbook import textbook

COUNT = 10
VALGRIND = "valgrind --tool=callgrind --instr-atstart=no"


@dataclass(frozen=True, slots=True)
class Done:
    """What one request did, on average; instructions in millions, where valgrind could count them."""

    statements: float
    transactions: float
    round_trips: float
    instructions: float | None


@dataclass(frozen=True, slots=True)
class Program:
    """An application called in a process of its own, under valgrind where there is one."""

    programs: Programs
    application: str
    token: str
    operations: Sequence[str]

    def look(self) -> list[Done]:
        """Call each operation and return what one request of it did."""
        command = ["python", "-m", "bench.inside", self.application, self.token, str(COUNT), *self.operations]
        if shutil.which("valgrind"):
            command = [*VALGRIND.split(), f"--callgrind-out-file={self._out}", *command]
        with (self.programs.folder / "inside.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                # The order of sets must not differ from run to run.
                env=self.programs.environment | {"PYTHONHASHSEED": "0"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        with process:
            return [self._look(process, first=place == 0) for place in range(len(self.operations))]

    @property
    def _out(self) -> Path:
        return self.programs.folder / "callgrind.out"

    def _look(self, process: subprocess.Popen[str], *, first: bool) -> Done:
        counts = shutil.which("valgrind") is not None
        self._expect(process, "ready")
        if counts:
            self._control(process, *(["-i", "on"] if first else []))
            self._control(process, "-z")
        before = self._reads()
        self._go_on(process)
        done = json.loads(self._expect(process, "{"))
        reads = self._reads() - before - 1
        instructions = self._dumped(process) if counts else None
        self._go_on(process)
        transactions = done.get("commits", 0) + done.get("rollbacks", 0)
        return Done(done.get("statements", 0) / COUNT, transactions / COUNT, reads / COUNT, instructions)

    def _expect(self, process: subprocess.Popen[str], beginning: str) -> str:
        line = process.stdout.readline()  # type: ignore[union-attr]
        if not line.startswith(beginning):
            raise RuntimeError((self.programs.folder / "inside.log").read_text()[-3000:])
        return line

    def _go_on(self, process: subprocess.Popen[str]) -> None:
        process.stdin.write("\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]

    def _control(self, process: subprocess.Popen[str], *arguments: str) -> None:
        command = ["callgrind_control", *arguments, str(process.pid)]
        subprocess.run(command, env=self.programs.environment, check=True, capture_output=True)

    def _dumped(self, process: subprocess.Popen[str]) -> float:
        self._control(process, "-d")
        newest = max(self._out.parent.glob(f"{self._out.name}*"), key=lambda path: path.stat().st_mtime_ns)
        total = next(line for line in newest.read_text().splitlines() if line.startswith(("totals:", "summary:")))
        return int(total.split()[1]) / COUNT / 1e6

    def _reads(self) -> int:
        with redis.Redis.from_url(self.programs.settings.redis_url) as client:
            return int(cast("dict[str, Any]", client.info("stats"))["total_reads_processed"])


def measure(ground: Ground) -> list[Finding]:
    """Look at ours and at the textbook's, one after the other, for Redis counts for all its clients."""
    if not shutil.which("valgrind"):
        print("instructions: NO valgrind here, instructions are not counted", flush=True)
    with ground.platform("inside", "web") as ours:
        caller = newcomer(ours.base)
        start = f"{API}/pipelines/{{}}/executions"
        posts = [f"POST:{start.format(caller.pipeline(one))}" for one in (ONE_STEP, FOUR_STAGES)]
        job_id = caller.start(caller.pipeline(ONE_STEP | {"name": "to be asked for"}))["job_id"]
        found = Program(ours, "wsgi:app", caller.token, [*posts, f"GET:{API}/jobs/{job_id}"]).look()
    with textbook(ground, "inside_book") as book:
        operations = [f"POST:/pipelines/{book.pipeline_id}/executions", "POST:/jobs"]
        bare = Program(book.programs, "bench.bare.textbook:app", book.token, operations).look()
    return [*_posts(found, bare), *_instructions("GET a job", found[2])]


def _posts(ours: list[Done], bare: list[Done]) -> Iterator[Finding]:
    yield from _instructions("POST → 202", ours[0], "textbook", bare[0], Goal(2.4, "figure"))
    yield from _instructions("POST → 202", ours[0], "textbook, one row", bare[1])
    yield from _instructions("POST → 202, 4 stages", ours[1], "one stage", ours[0])
    yield Finding(
        "POST → 202, Redis round trips", ours[0].round_trips, "", "textbook", bare[0].round_trips, Goal(3, "figure")
    )
    yield Finding("POST → 202, SQL statements", ours[0].statements, "", "textbook", bare[0].statements)
    yield Finding("POST → 202, transactions", ours[0].transactions, "", "textbook", bare[0].transactions)


def _instructions(
    what: str, ours: Done, beside: str = "", bare: Done | None = None, goal: Goal | None = None
) -> Iterator[Finding]:
    if ours.instructions is not None:
        yield Finding(
            f"{what}, instructions", ours.instructions, "M", beside, bare.instructions if bare else None, goal
        )
