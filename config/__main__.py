"""Prints the table of settings that README.md holds: `python -m config`."""

from __future__ import annotations

import dataclasses
import sys

from config.settings import NEEDED, Settings


def rows() -> list[str]:
    """Return the table's lines."""
    return ["| setting | default | what it does |", "|---|---|---|", *map(_row, dataclasses.fields(Settings))]


def _row(declared: dataclasses.Field[object]) -> str:
    default = "required" if declared.name in NEEDED else _shown(declared.default)
    return f"| `{declared.name.upper()}` | {default} | {declared.metadata['help']} |"


def _shown(default: object) -> str:
    if default is None or default == "":
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
