"""Which provider is tried: by role, weight and health. Pure but for the dice.

A provider that failed five times in a row is left alone for five minutes, then tried with one mail (a circuit breaker).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

OPENS_AFTER: Final = 5
OPEN: Final = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is known of a provider when one is chosen."""

    id: UUID
    name: str
    is_primary: bool
    is_bulk: bool
    weight: int
    failures: int
    open_until: datetime | None

    def is_closed(self, moment: datetime) -> bool:
        """Whether mails may go by it."""
        return self.open_until is None or self.open_until <= moment


def order_providers(choices: Sequence[Choice], moment: datetime, *, is_bulk: bool) -> list[UUID]:
    """Return the providers in the order in which they are to be tried for one mail: those for it first, each time drawn
    by weight, then the others. Those that are left alone are not among them."""

    def rank(one: Choice) -> tuple[bool, float]:
        is_meant = one.is_bulk if is_bulk else one.is_primary
        draw = random.random() ** (1 / max(one.weight, 1))  # noqa: S311 - spreads mails, keeps no secret
        return (not is_meant, -draw)

    return [one.id for one in sorted((one for one in choices if one.is_closed(moment)), key=rank)]


def next_opening(failures: int, moment: datetime) -> datetime | None:
    """Return until when a provider is left alone that has failed so often in a row."""
    return moment + OPEN if failures >= OPENS_AFTER else None
