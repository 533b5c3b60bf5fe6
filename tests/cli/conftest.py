"""Files of other systems to convert, and repositories to run."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.converting import Conversion, Kind, Source, convert

FILES = Path(__file__).parent / "files"

Converter = Callable[..., Conversion]


@pytest.fixture
def converted() -> Converter:
    """Convert a text of a system, or several that make one pipeline."""

    def run(kind: Kind, *texts: str) -> Conversion:
        return convert(
            kind, [Source(f"{number}.yml" if number else "ci.yml", text) for number, text in enumerate(texts)]
        )

    return run


def in_repository(home: Path, definition: str) -> Path:
    """Return a new repository whose branch main has a headrace.yml."""
    folder = home / "repository"
    folder.mkdir()
    (folder / "headrace.yml").write_text(textwrap.dedent(definition))
    identity = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com")
    for command in (("init", "-q", "-b", "main"), ("add", "-A"), (*identity, "commit", "-q", "-m", "first")):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder
