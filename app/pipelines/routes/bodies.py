"""Definitions in request bodies: YAML or JSON, read as text so that each fault has its line."""

from __future__ import annotations

from typing import Any, Literal

from flask import request

from app.http import platform, read_body
from app.kernel.errors import FieldError, Invalid, Malformed
from app.pipelines.definition import SHELL_AND_CONTAINERS, SHELL_ONLY, DefinitionInvalid, Fault, parse
from app.pipelines.merging import merge_definition
from app.pipelines.models import Pipeline
from app.pipelines.service import Source
from app.tenancy import Workspace, refuse_unready

ON_CLUSTERS = "kubernetes"

YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain")
JSON_TYPES = ("application/json",)

BODY_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/yaml": {"schema": {"type": "string"}},
        },
    }
}

PATCH_DOC: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "object"}} for name in ("application/merge-patch+json", *JSON_TYPES)},
    }
}


def executors() -> frozenset[str]:
    """Return what this installation can run: without an engine definitions with images are refused, line by line."""
    return SHELL_AND_CONTAINERS if platform().container_engine else SHELL_ONLY


def refuse_unplaced(pipeline: Pipeline, workspace: Workspace) -> None:
    """Raise unless a workspace has a place on a cluster, where the pipeline's containers would run in one.

    Raises WorkspaceNotReady or WorkspaceSuspended. What no caller waits for is told by its stage.
    """
    if platform().container_engine != ON_CLUSTERS:
        return
    stages = pipeline.definition.get("stages") or ()
    holders = [holder for stage in stages for holder in (stage, *(stage.get("steps") or ()))]
    if platform().container_image or any(holder.get("image") for holder in holders):
        refuse_unready(workspace)


def read_source() -> Source:
    """Parse the request's body; raises Invalid with every fault."""
    text, form = read_text()
    try:
        return Source(parse(text, form, executors=executors()), text, form)
    except DefinitionInvalid as error:
        raise refuse(error) from None


def patched(pipeline: Pipeline, patch: dict[str, Any]) -> Source:
    """Return the definition with a patch applied; raises Invalid with every fault."""
    try:
        return merge_definition(pipeline, patch, executors())
    except DefinitionInvalid as error:
        raise refuse(error) from None


def read_text() -> tuple[str, Literal["yaml", "json"]]:
    """Return the body's text and its form."""
    body = read_body(*JSON_TYPES, *YAML_TYPES)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("The body is not UTF-8.") from error
    return text, "json" if request.is_json else "yaml"


def refuse(error: DefinitionInvalid) -> Invalid:
    """Return the refusal that names each fault by path, line and column."""
    return Invalid(
        "The pipeline's definition is not valid.",
        errors=[FieldError(fault.path, _place(fault) + fault.message) for fault in error.faults],
        faults=[fault_view(fault) for fault in error.faults],
    )


def fault_view(fault: Fault) -> dict[str, Any]:
    """Return a fault for the wire."""
    return {"path": fault.path, "line": fault.line, "column": fault.column, "message": fault.message}


def _place(fault: Fault) -> str:
    return f"line {fault.line}, column {fault.column}: " if fault.line else ""
