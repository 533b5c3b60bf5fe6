"""The container of a job and the services beside it."""

from __future__ import annotations

from app.pipelines.definition.tree import Node, Scalar
from cli.converting.containers import give_image, give_service
from cli.converting.github.contexts import Scope
from cli.converting.github.expressions import Unreadable
from cli.converting.github.templates import as_text, has_template
from cli.converting.notes import Notes
from cli.converting.shaping import Tree
from cli.converting.source import entries, get, line_of, text_of


def contain(job: Node, scope: Scope, notes: Notes, stage: Tree) -> None:
    """Take over `container` and, where there is one, `services`: only steps in containers reach those here."""
    container = get(job, "container")
    image = container if isinstance(container, Scalar) else get(container, "image")
    if name := _said(text_of(image), scope):
        give_image(stage, name, scope.variables, line_of(image), notes)
    elif container is not None:
        notes.lost(line_of(container), "container", "its image cannot be said; steps run on the worker itself", stage)
    stage["environment"] = {**_plain(get(container, "env")), **stage["environment"]}
    for entry in entries(container):
        if entry.key not in ("image", "env"):
            notes.lost(entry.place.line, f"container: {entry.key}", "is left out", stage)
    for entry in entries(get(job, "services")):
        service = _said(text_of(get(entry.node, "image")), scope)
        given = _plain(get(entry.node, "env"))
        if "image" not in stage or not service or not give_service(stage, entry.key, service, given, scope.variables):
            message = f"{entry.key} is not started; the worker must reach it"
            notes.lost(entry.place.line, "services", message, stage)


def _said(text: str | None, scope: Scope) -> str | None:
    try:
        return as_text(text, scope) if text else None
    except Unreadable:
        return None


def _plain(node: Node | None) -> dict[str, str]:
    found = {entry.key: text_of(entry.node) or "" for entry in entries(node)}
    return {name: value for name, value in found.items() if name.isidentifier() and not has_template(value)}
