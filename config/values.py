"""The texts of settings, and what they say."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

KUBERNETES: Final = "kubernetes"
"""The container engine that is no address: pods in the namespaces of workspaces."""

_LABEL: Final = re.compile(r"(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def find_value(source: Mapping[str, str], name: str) -> str | None:
    """Return the text of a setting, or what the file holds that is named for it; None without either."""
    if source.get(name, "") != "":
        return source[name]
    file_name = source.get(f"{name}_FILE", "")
    return Path(file_name).read_text().strip() if file_name else None


def convert_value(text: str, kind: Any) -> Any:
    """Return what a text says as a value of a kind; raises ValueError."""
    if typing.get_origin(kind) is Literal:
        choices = typing.get_args(kind)
        if text not in choices:
            raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
        return text
    if typing.get_origin(kind) is types.UnionType:
        kind = next(option for option in typing.get_args(kind) if option is not type(None))
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0"):
            raise ValueError(f"{text!r} is neither true nor false")
        return text.lower() in ("true", "1")
    return kind(text)


def read_labels(text: str) -> dict[str, str]:
    """Return labels that are written `name=value,name=value`; raises ValueError."""
    labels: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not _LABEL.fullmatch(name) or (value and not _LABEL.fullmatch(value)) or "/" in value:
            raise ValueError(f"{part!r} is not a label, as `name=value`")
        labels[name] = value
    return labels


def find_container_faults(values: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the settings of containers."""
    faults: list[str] = []
    engine = values.get("container_engine", KUBERNETES)
    if engine != KUBERNETES and not engine.startswith(("unix://", "tcp://")):
        faults.append("CONTAINER_ENGINE is neither a unix:// nor a tcp:// address, nor `kubernetes`")
    try:
        read_labels(values.get("kubernetes_node_selector", ""))
    except ValueError as error:
        faults.append(f"KUBERNETES_NODE_SELECTOR: {error}")
    return faults
