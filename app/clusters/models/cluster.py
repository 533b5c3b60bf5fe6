"""A cluster: whose it is, what opens it, and the legal moves between its states.

pending ─────▶ connected ◀──▶ error ──▶ disconnected ──▶ connected
provisioning ─▶ pending | error
any of them ──▶ deleting ──▶ gone, or error
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, func
from sqlalchemy.orm import Mapped, mapped_column, relationship, synonym

from app.clusters.errors import IllegalMove
from app.clusters.models.health import ClusterHealth
from app.kernel.audit import audited
from app.kernel.db import Base
from app.kernel.ids import new_id
from app.kernel.sealing import seals

PENDING: Final = "pending"
PROVISIONING: Final = "provisioning"
CONNECTED: Final = "connected"
ERROR: Final = "error"
DISCONNECTED: Final = "disconnected"
DELETING: Final = "deleting"
STATUSES: Final = (PENDING, PROVISIONING, CONNECTED, ERROR, DISCONNECTED, DELETING)

_MOVES: Final = {
    PENDING: {CONNECTED, ERROR, DELETING},
    PROVISIONING: {PENDING, ERROR, DELETING},
    CONNECTED: {ERROR, PROVISIONING, DELETING},
    ERROR: {CONNECTED, DISCONNECTED, PROVISIONING, DELETING},
    DISCONNECTED: {CONNECTED, ERROR, PROVISIONING, DELETING},
    DELETING: {ERROR},
}


class Cluster(Base):
    """A Kubernetes API server that an organization may use.

    `credentials` hold an `Access` and `provider_credentials` what opens the provider's own API, both encrypted and not
    loaded with the row. A `managed` cluster was made by its provider, which also takes it away. What the checks write
    is in `health`, so that a check changes no entity tag.
    """

    __tablename__ = "clusters"
    __table_args__ = (
        UniqueConstraint("organization_id", "name"),
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index("ix_clusters_organization_id_created_at", "organization_id", "created_at", "id"),
        Index("ix_clusters_created_at", "created_at", "id"),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    organization_id: Mapped[UUID] = mapped_column(ForeignKey("organizations.id", ondelete="RESTRICT"))
    name: Mapped[str]
    description: Mapped[str | None]
    provider: Mapped[str]
    managed: Mapped[bool] = mapped_column(server_default=false(), default=False)
    region: Mapped[str | None]
    tags: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default="{}", default=dict)
    server: Mapped[str | None]
    credentials: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    provider_credentials: Mapped[bytes | None] = mapped_column(deferred=True, deferred_raiseload=True)
    status: Mapped[str] = mapped_column(server_default=PENDING, default=PENDING)
    status_reason: Mapped[str | None]
    version: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), onupdate=func.clock_timestamp())

    # A cluster is inside itself, as a workspace is: what guards things by their place guards it too.
    cluster_id: Mapped[UUID] = synonym("id")
    health: Mapped[ClusterHealth] = relationship(lazy="selectin", cascade="all", passive_deletes=True)

    def connect(self, version: str | None) -> None:
        """Its API server answers as it should."""
        self._move(CONNECTED, None)
        self.version = version or self.version

    def fail(self, reason: str) -> None:
        """It cannot be used; `reason` says why."""
        self._move(ERROR, reason)

    def lose(self, reason: str) -> None:
        """It has not answered for so long that it is seldom asked any more."""
        self._move(DISCONNECTED, reason)

    def begin_provisioning(self, reason: str | None = None) -> None:
        """Its provider makes or changes it."""
        self._move(PROVISIONING, reason)

    def await_check(self) -> None:
        """Its provider has made it; whether it answers, the first check tells."""
        self._move(PENDING, None)

    def begin_deletion(self) -> None:
        """It is to go; nothing may be begun on it any more."""
        if self.status == DELETING:
            raise IllegalMove("The cluster is being deleted already.", status=self.status)
        self._move(DELETING, None)

    def _move(self, status: str, reason: str | None) -> None:
        if status != self.status and status not in _MOVES[self.status]:
            raise IllegalMove(f"A cluster that is {self.status} cannot become {status}.", status=self.status)
        self.status, self.status_reason = status, reason


def key_of(cluster_id: UUID) -> str:
    """Return the name that a managed cluster has at its provider: short, and nobody else's."""
    return f"hr-{cluster_id.hex[-20:]}"


def vault_context(cluster_id: UUID, part: str = "credentials") -> str:
    """Return what a ciphertext is bound to: moved to another cluster or column, it does not open."""
    return f"cluster:{cluster_id}:{part}"


audited(
    Cluster,
    "cluster",
    ("name", "description", "provider", "region", "tags", "parameters", "server", "status"),
    hidden=("credentials", "provider_credentials"),
)
seals(Cluster, "credentials", lambda row: vault_context(row.id))
seals(Cluster, "provider_credentials", lambda row: vault_context(row.id, "provider_credentials"))
