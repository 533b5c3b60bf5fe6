"""Work that ends when it is told to, work that never asks, and work that lets nothing else of its process run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from app.jobs import Run
from app.kernel.intents import Intent
from tasks.handling import handles
from tasks.tools import Tools

SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Polite(Intent):
    """Wait, and ask often whether to stop."""

    kind: ClassVar[str] = "bench.polite"
    queue: ClassVar[str] = "default"


@dataclass(frozen=True, slots=True)
class Deaf(Intent):
    """Wait, and never ask."""

    kind: ClassVar[str] = "bench.deaf"
    queue: ClassVar[str] = "default"


@dataclass(frozen=True, slots=True)
class Native(Intent):
    """Compute in native code that holds the interpreter."""

    kind: ClassVar[str] = "bench.native"
    queue: ClassVar[str] = "default"


@handles(Polite)
def wait(run: Run, _intent: Polite, _tools: Tools) -> None:
    """Wait until told otherwise."""
    while True:
        run.check()
        time.sleep(0.05)


@handles(Deaf)
def wait_deaf(_run: Run, _intent: Deaf, _tools: Tools) -> None:
    """Wait through everything."""
    time.sleep(SECONDS)


@handles(Native)
def compute(_run: Run, _intent: Native, _tools: Tools) -> None:
    """Add up more numbers than anyone waits for."""
    sum(range(10**15))
