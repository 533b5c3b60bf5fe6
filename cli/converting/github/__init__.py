"""Workflows of GitHub Actions."""

from cli.converting.github.workflow import convert_workflow

__all__ = ["convert_workflow"]
