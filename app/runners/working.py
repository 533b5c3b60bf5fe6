"""What a runner writes of an attempt it was given. Each function finds out first whether it still is the runner's, and
believes nothing else that it is told. The session comes first; nothing here commits.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app import jobs
from app.jobs import Job, LeaseLost
from app.kernel.clock import format_time, utc_now
from app.kernel.crypto import Undecryptable, Vault
from app.kernel.db import note
from app.kernel.errors import FieldError, Invalid, NotFound
from app.kernel.store import Stored
from app.kernel.stream import Delivered
from app.pipelines import (
    Artifact,
    Briefing,
    LogChunk,
    Segment,
    Stage,
    Step,
    StepEnd,
    add_log_chunk,
    finish_step,
    log_topic,
    replace_artifacts,
)
from app.runners.errors import AttemptOver, LogGap, TooMuchSent
from app.runners.models import Runner

UNKNOWN: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that is the runner's, with its rows locked."""

    job: Job
    stage: Stage


def hold(session: Session, runner: Runner, job_id: UUID, attempt: int) -> Held:
    """Lock a job and its stage; raises NotFound for what was never this runner's to see, AttemptOver for what is not
    its attempt any more."""
    known = session.execute(
        select(Job.parent_id, Job.organization_id, Job.workspace_id).where(Job.id == job_id, Job.queue == jobs.RUNNERS)
    ).one_or_none()
    in_reach = known is not None and runner.organization_id == known.organization_id
    if known is None or not in_reach or runner.workspace_id not in (None, known.workspace_id):
        raise NotFound(resource_type="job", resource_id=str(job_id))
    try:
        job = jobs.hold_attempt(session, job_id, attempt, known.parent_id)
    except LeaseLost:
        raise AttemptOver from None
    if job.worker != runner.worker:
        raise AttemptOver
    return Held(job, session.scalars(select(Stage).where(Stage.job_id == job_id)).one())


def extend(session: Session, held: Held, lease_seconds: float) -> None:
    """Extend the lease; raises AttemptOver."""
    job_id, attempt = held.job.id, held.job.attempt
    claimed = jobs.Claim(job_id, attempt, held.job.kind, {}, held.job.parent_id, held.job.organization_id)
    if not jobs.beat(session, claimed, lease_seconds).held:
        raise AttemptOver


def step_of(session: Session, stage: Stage, step_id: UUID) -> Step:
    """Return a step of the stage; raises NotFound."""
    step = session.scalar(select(Step).where(Step.id == step_id, Step.stage_id == stage.id))
    if step is None:
        raise NotFound(resource_type="step", resource_id=str(step_id))
    return step


def end_step(session: Session, held: Held, step_id: UUID, said: Mapping[str, Any]) -> None:
    """Record how a step ended; raises NotFound, and IllegalMove for a step that is not running."""
    told = dict(said)
    again = told.pop("again")
    finish_step(session, held.job, step_of(session, held.stage, step_id).id, StepEnd(**told), again=again)


def reserve(session: Session, stage: Stage, size: int, most: int) -> None:
    """Count bytes before they are taken; raises TooMuchSent."""
    counting = update(Stage).where(Stage.id == stage.id, Stage.received_bytes + size <= most)
    counted = counting.values(received_bytes=Stage.received_bytes + size).returning(Stage.id)
    if session.execute(counted.execution_options(synchronize_session=False)).scalar() is None:
        raise TooMuchSent(limit=most)


def next_line(session: Session, step: Step, attempt: int) -> int:
    """Return the number that the next line of an attempt's log must have; raises AttemptOver for another attempt."""
    if step.attempt != attempt:
        raise AttemptOver("This is not the step's newest attempt.")
    mine = (LogChunk.step_id == step.id, LogChunk.attempt == attempt)
    return (session.execute(select(func.max(LogChunk.last_seq)).where(*mine)).scalar() or 0) + 1


def renumber(segments: Sequence[Segment], expected: int) -> list[Segment]:
    """Return the lines that come from `expected` on, if they follow each other without a gap; what is there already
    is left out. Raises LogGap."""
    seq = segments[0].first_seq
    for one in segments:
        if one.first_seq != seq:
            raise LogGap("The lines' numbers have a gap.", next_seq=expected)
        seq += one.lines
    if segments[0].first_seq != expected and seq > expected:
        raise LogGap(next_seq=expected)
    return [] if seq <= expected else list(segments)


def note_lines(session: Session, step: Step, attempt: int, segments: Sequence[Segment], size: int, key: str) -> None:
    """Let stored lines be seen, and wake those who follow them."""
    last = segments[-1].first_seq + segments[-1].lines - 1
    add_log_chunk(session, step.id, attempt, first_seq=segments[0].first_seq, last_seq=last, size=size, key=key)
    woken = Delivered(log_topic(step.id), last, "log", format_time(utc_now()), {"attempt": attempt})
    note(session, "stream", woken)


def find_needed(session: Session, stage: Stage, key: str) -> Artifact:
    """Return an artifact of a stage that this one depends on; raises NotFound."""
    kept = select(Artifact).join(Stage, Stage.id == Artifact.stage_id)
    needed = kept.where(Artifact.key == key, Stage.execution_id == stage.execution_id, Stage.name.in_(stage.depends_on))
    artifact = session.scalar(needed)
    if artifact is None:
        raise NotFound(resource_type="artifact", resource_id=key)
    return artifact


def seal_file(vault: Vault, held_as: str, briefing: Briefing, said: Mapping[str, Any], key: str, stored: Stored) -> str:
    """Return what names a stored file later, which nobody but the platform can make; raises Invalid for an artifact
    that the stage does not ask for."""
    asked = briefing.planned.artifacts
    if said["artifact"] >= len(asked):
        raise Invalid(errors=[FieldError("artifact", f"The stage keeps {len(asked)}.")])
    row = {
        "name": said["name"],
        "path": said["path"],
        "size": stored.size,
        "sha256": stored.sha256,
        "content_type": mimetypes.guess_type(said["path"])[0] or UNKNOWN,
        "key": key,
        "retention_seconds": asked[said["artifact"]].retention,
    }
    return base64.b64encode(vault.encrypt(orjson.dumps(row), held_as)).decode()


def keep_files(session: Session, vault: Vault, held_as: str, briefing: Briefing, files: Sequence[str]) -> list[str]:
    """Let sealed files be seen in the place of earlier attempts'; returns the keys of what nobody reaches any more."""
    rows: dict[str, dict[str, Any]] = {}
    for place, sealed in enumerate(files):
        try:
            row = orjson.loads(vault.decrypt(base64.b64decode(sealed, validate=True), held_as))
        except (binascii.Error, Undecryptable):
            raise Invalid(
                errors=[FieldError(f"files.{place}", "Is no file that was stored by this attempt.")]
            ) from None
        rows[row["name"]] = row
    kept = {row["key"] for row in rows.values()}
    # Sent again, it must not take away what it has kept.
    return [key for key in replace_artifacts(session, briefing, list(rows.values())) if key not in kept]


def name_attempt(job_id: UUID, attempt: int) -> str:
    """Return what sealed files are bound to."""
    return f"runner-file:{job_id}:{attempt}"
