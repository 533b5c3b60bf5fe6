"""Imports every room of tasks, so that its deeds are registered."""

from tasks import jobs, pipelines

__all__ = ["jobs", "pipelines"]
