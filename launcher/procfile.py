"""The Procfile: one line a process, `name: command`, in the order of starting."""

import re
from pathlib import Path

from launcher.processes import LaunchError

LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


class ProcfileInvalid(LaunchError):
    """The Procfile cannot be read; the message names the line."""


def read_procfile(path: Path) -> dict[str, str]:
    """Commands by process name. Empty lines and `#` comments are skipped; other lines are refused by their number."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ProcfileInvalid(f"cannot read {path}: {error.strerror}") from error
    commands: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.rstrip())
        if not match:
            raise ProcfileInvalid(f"{path}, line {number}: not of the form `name: command`")
        if match["name"] in commands:
            raise ProcfileInvalid(f"{path}, line {number}: {match['name']} is there twice")
        commands[match["name"]] = match["command"]
    return commands
