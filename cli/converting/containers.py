"""Images and services: what steps run in, and what runs beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from app.pipelines.definition import RESERVED_NAMES
from cli.converting.notes import Notes
from cli.converting.shaping import Tree

_IMAGE: Final = re.compile(r"(?!-)[A-Za-z0-9._/:@${}-]{1,500}")
_REFERENCE: Final = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_.]*)")
_NO_ROOT: Final = "needs a container engine; steps are no root in it, so what they install belongs into the image"
_UNNAMED: Final = "its name cannot be said here; the worker itself must have what it has"


def give_image(part: Tree, image: str | None, known: Collection[str], line: int | None, notes: Notes) -> None:
    """Let a stage or a step run in an image, whose name may hold `known` variables as `${NAME}`."""
    if not image:
        return
    if _is_known(image, known):
        part["image"] = image
        notes.check(line, f"image {image}", _NO_ROOT, part)
    else:
        notes.lost(line, f"image {image}", _UNNAMED, part)


def give_service(
    stage: Tree, name: str | None, image: str, environment: Mapping[str, str], known: Collection[str]
) -> bool:
    """Add a service to a stage, by its own name or its image's; tell whether that could be done."""
    host = _host(name or re.split(r"[:@]", image.rpartition("/")[2])[0])
    taken = {service["name"] for service in stage.get("services", ())}
    if not _is_known(image, known) or not host or host in taken or host == "localhost":
        return False
    given = {key: value for key, value in environment.items() if key not in RESERVED_NAMES and "${" not in value}
    stage.setdefault("services", []).append({"name": host, "image": image, **({"environment": given} if given else {})})
    return True


def _is_known(image: str, known: Collection[str]) -> bool:
    names = _REFERENCE.findall(image)
    said = all(name in known or name in RESERVED_NAMES or name.startswith("matrix.") for name in names)
    return said and _IMAGE.fullmatch(image) is not None and image.count("$") == image.count("${")


def _host(text: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", text.lower())[:63].strip("-")
