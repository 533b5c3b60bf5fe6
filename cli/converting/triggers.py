"""Triggers, written as short as they can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MOST_PATHS: Final = 20
_SHORT: Final = {"git_push": "push", "git_tag": "tag"}

Trigger = dict[str, Any]


def trigger(kind: str, config: dict[str, Any]) -> Trigger | str:
    """Return one trigger: a word, where it has no config."""
    return {"trigger_type": kind, "config": config} if config else _SHORT.get(kind, kind)


def with_paths(kind: str, config: dict[str, Any], paths: Sequence[str]) -> list[Trigger | str]:
    """Return a trigger for each path; of too many paths one that asks for none."""
    wanted = [path.removesuffix("/**").removeprefix("./") or "**" for path in paths]
    if not wanted or len(wanted) > MOST_PATHS or "**" in wanted:
        return [trigger(kind, config)]
    return [trigger(kind, {**config, "path": path}) for path in dict.fromkeys(wanted)]
