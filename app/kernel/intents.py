"""Intents: what is asked of workers. A frozen dataclass with a kind, a queue and ids only; it must survive JSON."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self
from uuid import UUID

LostLease = Literal["kill", "hold"]

INTENTS: dict[str, type[Intent]] = {}


@dataclass(frozen=True, slots=True)
class Intent:
    """The base of every intent.

    `kind` is the job's kind and the Celery task's name. `on_lost_lease` says what a running deed does while it cannot
    prove its lease: `kill` stops before the next outside call, `hold` keeps computing and writes nothing. A deed has
    `cancel_seconds` to end by itself when it is cancelled; then its process is killed.
    """

    kind: ClassVar[str]
    queue: ClassVar[str]
    priority: ClassVar[int] = 5
    max_attempts: ClassVar[int] = 3
    on_lost_lease: ClassVar[LostLease] = "kill"
    cancel_seconds: ClassVar[float] = 1.0

    def __init_subclass__(cls) -> None:
        # A dataclass with slots is made twice under one name; the second is the one to keep. One without a kind is
        # what several have in common.
        if "kind" in cls.__dict__:
            INTENTS[cls.kind] = cls

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return {
            field.name: str(value) if isinstance(value, UUID) else value
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        }

    @classmethod
    def from_json(cls, payload: dict[str, Any]) -> Self:
        """Return the intent that `to_json` wrote."""
        fields = {field.name: field.type for field in dataclasses.fields(cls)}
        return cls(
            **{name: UUID(value) if fields[name] in ("UUID", UUID) else value for name, value in payload.items()}
        )
