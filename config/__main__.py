"""Prints docs/settings.md: `python -m config`."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

from config.settings import NEEDED, SECTIONS

INTRODUCTION = """# Settings

Environment variables; each may also be given as `NAME_FILE`, the path of a file that holds it (a mounted secret). A
value that cannot be read ends the start with a line that names it. What has a default needs no thought to begin with.
"""


def document() -> str:
    """Return the document of all settings, a table for each section."""
    return "\n".join([INTRODUCTION, *map(_describe, SECTIONS)])


def _describe(section: type[Any]) -> str:
    heading = f"## {(section.__doc__ or '').rstrip('.')}"
    return "\n".join(
        [
            heading,
            "",
            "| setting | default | what it does |",
            "|---|---|---|",
            *map(_row, dataclasses.fields(section)),
            "",
        ]
    )


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
    sys.stdout.write(document())
