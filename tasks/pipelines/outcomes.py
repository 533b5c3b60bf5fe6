"""What a step's definition asks of the sandbox, and what the sandbox's answer means for the step."""

from __future__ import annotations

import shlex
import signal
from dataclasses import replace

from app.pipelines import StepEnd
from app.pipelines.definition import PlannedStep
from tasks.pipelines.gateways.sandbox import Limits, StepOutcome


def script_of(step: PlannedStep) -> str:
    """Return the text a shell runs; a program with arguments is quoted word by word."""
    return step.script if step.script is not None else shlex.join(step.argv)


def limits_of(step: PlannedStep, server: Limits, seconds_left: float) -> Limits:
    """Return the step's own limits where they are stricter than the server's, and the time its stage has left."""
    return replace(
        server,
        seconds=min(step.timeout, server.seconds, seconds_left),
        cpus=_stricter(step.limits.cpus, server.cpus),
        memory_bytes=_stricter_count(step.limits.memory, server.memory_bytes),
        file_bytes=_stricter_count(step.limits.file_size, server.file_bytes),
        processes=_stricter_count(step.limits.processes, server.processes),
    )


def _stricter(own: float | None, server: float | None) -> float | None:
    given = [limit for limit in (own, server) if limit is not None]
    return min(given) if given else None


def _stricter_count(own: int | None, server: int | None) -> int | None:
    strictest = _stricter(own, server)
    return None if strictest is None else int(strictest)


def ends_as(outcome: StepOutcome, step: PlannedStep) -> StepEnd:
    """Return the step's end: its status, and a reason in words where it did not succeed."""
    status, reason = _judge(outcome, step)
    return StepEnd(
        status,
        reason,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        duration_seconds=round(outcome.duration_seconds, 3),
        peak_memory_bytes=outcome.peak_memory_bytes,
        sandbox=outcome.sandbox,
    )


def _judge(outcome: StepOutcome, step: PlannedStep) -> tuple[str, str | None]:
    match outcome.ended:
        case "exited" if outcome.exit_code == 0:
            return "succeeded", None
        case "exited":
            return "failed", f"Exited with code {outcome.exit_code}."
        case "signalled":
            return "failed", f"Killed by signal {_signal_name(outcome.signal)}."
        case "timed_out":
            return "timed_out", f"Stopped at its timeout, after {outcome.duration_seconds:.0f} s of {step.timeout} s."
        case "out_of_memory":
            return "failed", "Killed: it took more memory than its limit."
        case "disk_full":
            return "failed", "Stopped: it filled the disk it may use."
        case _:
            return "cancelled", "Cancelled."


def _signal_name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return str(number)


def wants_retry(ended: StepEnd, left: int) -> bool:
    """Tell whether a step is to be run again, with `left` retries left."""
    return left > 0 and ended.status in ("failed", "timed_out")
