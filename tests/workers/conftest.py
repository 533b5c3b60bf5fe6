"""What the workers' parts are tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.kernel.db import Database
from config.settings import Settings
from tests.support.committing import committing_database


@pytest.fixture
def committing(settings: Settings) -> Iterator[Database]:
    """A database that several threads use at once."""
    with committing_database(settings) as database:
        yield database
