"""How a setting is declared."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(default: Any, help_text: str, *, secret: bool = False) -> Any:
    """Declare a setting: its default, what it does, and whether it must never be shown."""
    return field(default=default, metadata={"help": help_text, "secret": secret})
