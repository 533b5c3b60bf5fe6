"""Which deed answers which intent: one each, found by the job's kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.jobs import Run
from app.kernel.intents import Intent
from tasks.tools import Tools

Deed = Callable[[Run, Any, Tools], dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Handler:
    """An intent's class and the function that does it."""

    intent: type[Intent]
    deed: Deed


HANDLERS: dict[str, Handler] = {}


def handles(intent: type[Intent]) -> Callable[[Deed], Deed]:
    """Register a function as the one deed of an intent. What it returns becomes the job's result."""

    def register(deed: Deed) -> Deed:
        if intent.kind in HANDLERS:
            raise ValueError(f"{intent.kind} is handled twice")
        HANDLERS[intent.kind] = Handler(intent, deed)
        return deed

    return register
