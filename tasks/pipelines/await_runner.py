"""Looking after a stage that waits for a runner: a worker does no more of it than that."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from app.jobs import Run
from app.pipelines import RunnerAwaitedInVain
from app.runners import look_after
from tasks.tools import Tools

LOOK_SECONDS: Final = 15.0
LONGEST_LOOK_SECONDS: Final = 300.0


def await_runner(run: Run, stage_id: UUID, tools: Tools) -> None:
    """Say what the stage waits for, and let it wait on; raises RunnerAwaitedInVain when it has waited long enough."""
    with run.recording() as (session, job):
        wait = look_after(session, stage_id)
        left = tools.runner_wait_seconds - wait.seconds
        if left > 0:
            pause = min(max(LOOK_SECONDS, wait.seconds / 4), LONGEST_LOOK_SECONDS, left)
            run.wait(session, job, pause, wait.reason)
            return
    raise RunnerAwaitedInVain(f"No runner took it in {tools.runner_wait_seconds:,.0f} s. {wait.reason}")
