"""One attempt of a stage on this machine: the same deed as a worker's, with a heart that beats towards the API."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from app.jobs import Cancelled, HandedBack, LeaseLost, Stoppable
from app.kernel.errors import HeadraceError, Transient
from app.pipelines import StageTimedOut
from app.runners import Assignment
from cli.runner.api import RunnerApi
from cli.runner.recorder import RecordThere, describe
from tasks.pipelines.run_stage import do_stage, pass_over
from tasks.pipelines.secrets import Secrets
from tasks.pipelines.stage_work import StageWork
from tasks.tools import Workbench

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 2.0


class Heart:
    """Beats while the block runs: keeps the lease, and hears of a cancel. While the platform is away work goes on; the
    first answer tells whether the attempt still is this runner's."""

    def __init__(self, run: Stoppable, recorder: RecordThere, is_stopping: Callable[[], bool]) -> None:
        self._run = run
        self._recorder = recorder
        self._is_stopping = is_stopping
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"heart-{run.job_id}", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        beaten = time.monotonic()
        while not self._done.wait(0.2):
            if self._is_stopping():
                self._run.shutting_down.set()
            if time.monotonic() - beaten >= BEAT_SECONDS:
                self._beat()
                beaten = time.monotonic()

    def _beat(self) -> None:
        try:
            if self._recorder.beat():
                self._run.cancel_requested.set()
        except LeaseLost:
            log.warning("attempt %s of job %s is another's now", self._run.attempt, self._run.job_id)
        except HeadraceError as error:
            log.warning("no heartbeat: %s", error.message)


def run_assignment(api: RunnerApi, bench: Workbench, given: Assignment, is_stopping: Callable[[], bool]) -> str:
    """Do what was given and tell the platform how it ended; returns that in a word. Raises nothing."""
    run = Stoppable(given.job_id, given.attempt)
    recorder = RecordThere(api, run)
    secrets = Secrets(given.opening, given.values, trusted=given.briefing.trusted)
    try:
        with Heart(run, recorder, is_stopping):
            said = _do(StageWork(run, bench, recorder, given.briefing, secrets))
            recorder.finish(said)
    except LeaseLost:
        return "lost"
    except HeadraceError as error:
        log.warning("the end of job %s could not be told: %s", given.job_id, error.message)
        return "untold"
    return str(said["outcome"])


def _do(work: StageWork) -> dict[str, Any]:
    """Do the stage and return what is to be said of its end; raises LeaseLost."""
    try:
        result = pass_over(work.briefing) or do_stage(work)
    except LeaseLost:
        raise
    except Cancelled:
        return {"outcome": "cancelled"}
    except HandedBack:
        return {"outcome": "handed_back"}
    except Transient as error:
        return {"outcome": "again", **describe(error), "retry_after": min(error.retry_after or 0.0, 3600.0)}
    except HeadraceError as error:
        return _failure(error)
    except Exception:
        log.exception("a stage failed in a way nobody foresaw")
        return {"outcome": "again", "code": "RUNNER_FAILED", "message": "Something went wrong inside of the runner."}
    if result["status"] == "skipped":
        return {"outcome": "skipped", "blocks": result["blocks"]}
    return {"outcome": "succeeded", "artifacts": result["artifacts"], "tests": result.get("tests")}


def _failure(error: HeadraceError) -> dict[str, Any]:
    failed = error.details.get("steps")
    if failed is None:
        return {"outcome": "failed", **describe(error)}
    late = isinstance(error, StageTimedOut) and "timed_out" not in failed.values()
    return {"outcome": "steps_failed", "failed": failed, "out_of_time": late}
