"""Secrets in tests: keeping one as the API does, and looking for its value wherever the platform keeps things."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.kernel.crypto import Vault
from app.kernel.db import Database
from app.kernel.ids import new_id
from app.pipelines.keeping import holder_of
from app.pipelines.models import Pipeline
from app.pipelines.secrets import create_secret
from app.tables import METADATA
from app.tenancy import Organization, Workspace


def keep_secret(
    database: Database, vault: Vault, holder: Organization | Workspace | Pipeline, name: str, value: str, **fields: Any
) -> None:
    """Keep a secret."""
    with database.transaction() as session:
        create_secret(session, vault, holder_of(holder), name, value, new_id(), **fields)


def tables_that_show(database: Database, value: str) -> list[str]:
    """Return the tables in which a value stands, in clear, in hexadecimal or in base64."""
    forms = [value, value.encode().hex(), base64.b64encode(value.encode()).decode().rstrip("=")]
    with database.transaction() as session:
        return [
            table.name
            for table in METADATA.sorted_tables
            for row in session.scalars(text(f'SELECT t::text FROM "{table.name}" t'))
            if any(form in row for form in forms)
        ]


def files_that_show(folder: Path, value: str) -> list[Path]:
    """Return the files below a folder in which a value stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if value.encode() in path.read_bytes()]
