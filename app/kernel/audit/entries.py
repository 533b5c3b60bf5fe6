"""The table of the audit log. The database itself refuses to change, delete or truncate what is in it; what is older
than it is kept goes as whole weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Index, Integer, func, insert, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.kernel.db import Base, table_of
from app.kernel.ids import new_id
from app.kernel.partitions import Partition, make_partitions, old_partitions

SUCCEEDED: Final = "succeeded"
REFUSED: Final = "refused"


class AuditEntry(Base):
    """One thing that was done, or was refused. Names are kept beside ids, which may be gone later. `changes` maps a
    field to what it was and what it is; `count` is how many times the same was refused within a minute."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_at", "at", "id"),
        Index("ix_audit_log_organization_id_at", "organization_id", "at", "id"),
        Index("ix_audit_log_actor_id_at", "actor_id", "at", "id"),
        Index("ix_audit_log_resource_id_at", "resource_id", "at", "id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.clock_timestamp())
    actor_id: Mapped[UUID | None]
    actor: Mapped[str | None]
    key_id: Mapped[UUID | None]
    action: Mapped[str]
    operation: Mapped[str]
    outcome: Mapped[str]
    code: Mapped[str | None]
    resource_type: Mapped[str | None]
    resource_id: Mapped[str | None]
    organization_id: Mapped[UUID | None]
    change: Mapped[str | None]
    changes: Mapped[dict[str, Any]]
    address: Mapped[str | None]
    user_agent: Mapped[str | None]
    request_id: Mapped[str | None]
    count: Mapped[int] = mapped_column(Integer, server_default="1")


def write_entries(session: Session, entries: Sequence[dict[str, Any]]) -> None:
    """Write entries; all have the same fields."""
    session.execute(insert(table_of(AuditEntry)), [{"id": new_id(), **entry} for entry in entries])


def make_audit_partitions(session: Session) -> None:
    """See that the log has room for this week and the next four."""
    table = AuditEntry.__tablename__
    # What waits in the rest is moved to its week, which takes a DELETE: here alone, under the lock of the ALTER.
    session.execute(text(f"ALTER TABLE {table}_rest DISABLE TRIGGER append_only"))
    for partition in make_partitions(session, table, "at"):
        session.execute(
            text(
                f"CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON {partition.name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
            )
        )
    session.execute(text(f"ALTER TABLE {table}_rest ENABLE TRIGGER append_only"))


def old_audit(session: Session, days: int) -> list[Partition]:
    """Return the weeks of the log that are older than so many days."""
    return old_partitions(session, AuditEntry.__tablename__, days)
