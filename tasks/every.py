"""Imports every room of tasks, so that its deeds are registered."""

from tasks import clusters, identity, jobs, messaging, monitoring, notifications, pipelines, sre, tenancy, webhooks

__all__ = [
    "clusters",
    "identity",
    "jobs",
    "messaging",
    "monitoring",
    "notifications",
    "pipelines",
    "sre",
    "tenancy",
    "webhooks",
]
