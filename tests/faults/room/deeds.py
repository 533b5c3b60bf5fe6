"""What workers do for the harness."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs import Run
from tasks.handling import handles
from tasks.tools import Tools
from tests.faults.room.intents import Deaf, Grind, Ledger, LongSleep, Receipt, Sleep, Tick, Trial
from tests.faults.room.ledger import Entry

TICK = 0.1


@handles(Trial)
def do_nothing(_run: Run, _trial: Trial, _tools: Tools) -> None:
    """Do nothing."""


@handles(Tick)
def tick(_run: Run, _tick: Tick, _tools: Tools) -> None:
    """Do nothing, when it is time to."""


@handles(Sleep)
def sleep(run: Run, trial: Sleep, _tools: Tools) -> dict[str, Any]:
    """Sleep, stop when asked to, and tell how far it is."""
    return _sleep(run, trial)


@handles(LongSleep)
def sleep_long(run: Run, trial: LongSleep, _tools: Tools) -> dict[str, Any]:
    """The same, for longer."""
    return _sleep(run, trial)


@handles(Ledger)
def write_ledger(run: Run, trial: Ledger, _tools: Tools) -> None:
    """Write the entry and end the job in one transaction."""
    _wait(run, trial.seconds)
    with run.recording() as (session, job):
        _enter(session, run, trial)
        run.finish(session, job, {"ref": trial.ref})


@handles(Receipt)
def write_receipt(run: Run, trial: Receipt, _tools: Tools) -> dict[str, Any]:
    """Write the entry unless an attempt before has, then take some time."""
    with run.recording() as (session, _job):
        if session.scalar(select(Entry.id).where(Entry.job_id == run.claim.job_id)) is None:
            _enter(session, run, trial)
    _wait(run, trial.seconds)
    return {"ref": trial.ref}


@handles(Grind)
def grind(_run: Run, _trial: Grind, _tools: Tools) -> dict[str, Any]:
    """Add up more numbers than anyone waits for."""
    return {"sum": sum(range(10**15))}


@handles(Deaf)
def sleep_deaf(_run: Run, trial: Deaf, _tools: Tools) -> None:
    """Sleep through everything."""
    time.sleep(trial.seconds)


def _enter(session: Session, run: Run, trial: Trial) -> None:
    session.add(Entry(ref=trial.ref, job_id=run.claim.job_id, attempt=run.attempt))
    session.flush()


def _sleep(run: Run, trial: Trial) -> dict[str, Any]:
    began = time.monotonic()
    while (slept := time.monotonic() - began) < trial.seconds:
        run.progress(100 * slept / trial.seconds)
        _wait(run, TICK)
    return {"slept": round(slept, 1)}


def _wait(run: Run, seconds: float) -> None:
    """Sleep, and raise within a tenth of a second when the work is to end."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        run.check()
        time.sleep(min(left, TICK))
    run.check()
