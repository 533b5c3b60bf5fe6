"""The platform's worker with one more kind of job, which does nothing: what remains is the platform's own share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.jobs import Run
from app.kernel.intents import Intent
from tasks.handling import handles
from tasks.tools import Tools


@dataclass(frozen=True, slots=True)
class Nothing(Intent):
    """Do nothing."""

    kind: ClassVar[str] = "bench.nothing"
    queue: ClassVar[str] = "default"


@handles(Nothing)
def do_nothing(_run: Run, _intent: Nothing, _tools: Tools) -> None:
    """Do nothing."""
