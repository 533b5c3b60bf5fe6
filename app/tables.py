"""Every table of the platform, by importing every models.py: for Alembic, and for tests that make tables."""

from app.clusters import models as clusters
from app.identity import models as identity
from app.jobs import models as jobs
from app.kernel import audit, events, idempotency, stream
from app.kernel.db import Base
from app.messaging import models as messaging
from app.monitoring import models as monitoring
from app.notifications import models as notifications
from app.pipelines import models as pipelines
from app.runners import models as runners
from app.sre import models as sre
from app.tenancy import models as tenancy
from app.webhooks import models as webhooks

METADATA = Base.metadata

__all__ = [
    "METADATA",
    "audit",
    "clusters",
    "events",
    "idempotency",
    "identity",
    "jobs",
    "messaging",
    "monitoring",
    "notifications",
    "pipelines",
    "runners",
    "sre",
    "stream",
    "tenancy",
    "webhooks",
]
