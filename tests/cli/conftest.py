"""Files of other systems, to convert."""

from __future__ import annotations

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
