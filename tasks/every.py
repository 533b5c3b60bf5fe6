"""Imports every room of tasks, so that its deeds are registered."""

from tasks import identity, jobs, pipelines

__all__ = ["identity", "jobs", "pipelines"]
