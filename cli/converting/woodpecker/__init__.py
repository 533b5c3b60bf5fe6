"""Workflows of Woodpecker CI."""

from cli.converting.woodpecker.workflows import convert_workflows

__all__ = ["convert_workflows"]
