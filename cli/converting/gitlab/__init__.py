"""Pipelines of GitLab CI."""

from cli.converting.gitlab.pipeline import convert_pipeline

__all__ = ["convert_pipeline"]
