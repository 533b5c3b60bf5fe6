"""Pipelines: definitions, executions and their stages."""
