"""The blueprints of this room, and how a runner is known: by its own token, which is good for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from flask import Request, g
from sqlalchemy.orm import Session

from app.http import Blueprint, platform, recognizes, transaction
from app.kernel.errors import AuthRequired
from app.kernel.principal import NOTHING, Principal
from app.runners import registering
from app.runners.models import Runner
from app.runners.working import Held, hold

runners = Blueprint("runners", description="An organization's own machines, which take the stages that ask for them")
machines = Blueprint(
    "runner", description="What a runner calls, with its own token; see `headrace runner`, which does it for you"
)

ATTEMPT: Final = "/runner/jobs/<uuid:job_id>/attempts/<int:attempt>"


def _recognize(request: Request) -> Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise AuthRequired("This needs the token of a runner.")
    with transaction() as session:
        runner = registering.recognize(session, platform().vault, token.strip(), request.remote_addr)
    g.runner = runner
    return Principal(runner.id, f"runner {runner.name}", ceiling=NOTHING)


by_runner = recognizes(_recognize, limit="runner")


def current_runner() -> Runner:
    """Return the runner that sends the current request; in no session."""
    runner: Runner = g.runner
    return runner


@contextmanager
def holding(place: dict[str, Any]) -> Iterator[tuple[Session, Held]]:
    """Open a transaction in which the attempt that the path names is provably the caller's; raises as `hold` does."""
    job_id: UUID = place["job_id"]
    with transaction() as session:
        yield session, hold(session, current_runner(), job_id, place["attempt"])


def refuse_unheld(place: dict[str, Any]) -> None:
    """Raise as `hold` does, before anything large is read of who has nothing."""
    with holding(place):
        return
