"""People, a mail server, and who sends mails."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.kernel.db import Database
from config.settings import Settings
from tasks.tools import Tools
from tests.support.identity import Person, make_person
from tests.support.mail import Inbox, smtp_server
from workers.composition import open_tools


@pytest.fixture
def alice(app: Flask, database: Database) -> Person:
    """Owns an organization that sends mails."""
    return make_person(app, database, "alice")


@pytest.fixture
def charlie(app: Flask, database: Database) -> Person:
    """Has nothing to do with it."""
    return make_person(app, database, "charlie")


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    """A mail server that takes mails from everybody."""
    with smtp_server(tmp_path, tls=False) as inbox:
        yield inbox


@pytest.fixture
def tools(settings: Settings, tmp_path: Path) -> Tools:
    """A worker's, which may go to this machine."""
    return open_tools(replace(settings, data_dir=tmp_path, allow_private_addresses=True))
