"""What is sealed at rest, and sealing it anew: each column that the vault has encrypted is named by its room, so that
one command brings all of them under another key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, Row, Table, select, tuple_, update

from app.kernel.crypto import Undecryptable, Vault
from app.kernel.db import Base, Database, table_of

AT_ONCE: Final = 200

ContextOf = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of ciphertexts, and what each is bound to, by its row."""

    table: Table
    column: Column[Any]
    context_of: ContextOf


@dataclass(slots=True)
class Resealing:
    """What became of a column's values: brought under the newest key, or unreadable with every key there is."""

    resealed: int = 0
    unreadable: int = 0


SEALED: Final[dict[str, SealedColumn]] = {}


def seals(model: type[Base], column: str, context_of: ContextOf) -> None:
    """Name a column of a model that the vault has encrypted, at import; `context_of` tells what a row's value is bound
    to, by the row's columns."""
    table = table_of(model)
    SEALED[f"{table.name}.{column}"] = SealedColumn(table, table.c[column], context_of)


def reseal_all(database: Database, vault: Vault) -> dict[str, Resealing]:
    """Seal all that is not under the newest key anew, a few rows in a transaction; safe to stop and to repeat, while
    everything runs."""
    return {name: _reseal(database, vault, sealed) for name, sealed in sorted(SEALED.items())}


def _reseal(database: Database, vault: Vault, sealed: SealedColumn) -> Resealing:
    done = Resealing()
    after: tuple[Any, ...] | None = None
    while True:
        with database.transaction() as session:
            rows = session.execute(_some(sealed, after)).all()
            for row, fresh in _outdated(vault, sealed, rows, done):
                which = [column == getattr(row, column.name) for column in sealed.table.primary_key]
                session.execute(update(sealed.table).where(*which).values({sealed.column.name: fresh}))
        if len(rows) < AT_ONCE:
            return done
        after = tuple(getattr(rows[-1], column.name) for column in sealed.table.primary_key)


def _some(sealed: SealedColumn, after: tuple[Any, ...] | None) -> Any:
    key = list(sealed.table.primary_key)
    some = select(sealed.table).where(sealed.column.is_not(None)).order_by(*key).limit(AT_ONCE).with_for_update()
    return some.where(tuple_(*key) > after) if after else some


def _outdated(
    vault: Vault, sealed: SealedColumn, rows: Sequence[Row[Any]], done: Resealing
) -> Iterator[tuple[Row[Any], bytes]]:
    for row in rows:
        try:
            fresh = vault.reseal(getattr(row, sealed.column.name), sealed.context_of(row))
        except Undecryptable:
            done.unreadable += 1
            continue
        if fresh is not None:
            done.resealed += 1
            yield row, fresh
