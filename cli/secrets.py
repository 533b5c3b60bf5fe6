"""The secrets of a local run: from the environment by name, or from a file. Never from arguments, which all can see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.pipelines.definition import find_secret_name_fault
from cli.problem import Problem


def read_secrets(names: Sequence[str], file: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return values by name; raises Problem, which quotes none of them."""
    found = _from_file(file) if file is not None else {}
    for name in names:
        if "=" in name:
            raise Problem(
                f"--secret {name.partition('=')[0]}: give the name alone; its value comes from the environment"
            )
        if name not in environment:
            raise Problem(f"--secret {name}: there is no such variable in the environment")
        found[name] = environment[name]
    for name in found:
        if fault := find_secret_name_fault(name):
            raise Problem(f"the secret {name!r} {fault}")
    return {name: value for name, value in found.items() if value}


def _from_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: {getattr(error, 'strerror', None) or 'is not text'}") from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign:
            raise Problem(f"{path}:{number}: say NAME=VALUE")
        found[name.strip()] = value.strip()
    return found
