"""From text or decoded JSON to a definition, with every fault there is to name."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from app.pipelines.definition.checks import check_draft, check_plan
from app.pipelines.definition.codec import from_plain
from app.pipelines.definition.containers import CONTAINER
from app.pipelines.definition.faults import Faults, Place
from app.pipelines.definition.forms import read_at
from app.pipelines.definition.json_text import load_json
from app.pipelines.definition.model import Definition, Trigger
from app.pipelines.definition.normal import normalise
from app.pipelines.definition.pipeline_keys import PART, PIPELINE
from app.pipelines.definition.tree import MAX_CHARACTERS, Node, load_object
from app.pipelines.definition.yaml_text import load_yaml

MediaType = Literal["yaml", "json"]

SHELL_ONLY: Final = frozenset({"shell"})
SHELL_AND_CONTAINERS: Final = SHELL_ONLY | {CONTAINER}


def parse(text: str | bytes, media_type: MediaType, *, executors: frozenset[str] = SHELL_AND_CONTAINERS) -> Definition:
    """Read a definition. Raises DefinitionInvalid with every fault, each with line and column.

    `executors` are the step types this server can run; the others are known, and refused by name. Without `container`
    images and services are refused too.
    """
    faults = Faults()
    decoded = _decode(text, faults)
    node = load_yaml(decoded, faults) if media_type == "yaml" else load_json(decoded, faults)
    return _read(node, faults, executors)


def read_part(
    text: bytes, faults: Faults, environment: Mapping[str, str], executors: frozenset[str] = SHELL_AND_CONTAINERS
) -> Definition:
    """Read a file that is included, as YAML: its stages, and what it includes itself; `environment` is the pipeline's.

    Raises DefinitionInvalid; `faults` remember where each path was written.
    """
    node = load_yaml(_decode(text, faults), faults)
    draft: dict[str, Any] | None = read_at(PART, node, "", faults)
    if draft is None:
        raise faults.invalid()
    normal = normalise(draft, faults)
    check_draft(normal | {"environment": dict(environment)}, faults, executors, is_part=True)
    if faults:
        raise faults.invalid()
    part: Definition = from_plain(Definition, normal)
    return part


def parse_tree(value: object, *, executors: frozenset[str] = SHELL_AND_CONTAINERS) -> Definition:
    """Read a definition from decoded JSON. Raises DefinitionInvalid; its faults have paths, but no lines."""
    faults = Faults()
    return _read(load_object(value, faults), faults, executors)


def from_stored_triggers(plain: object) -> tuple[Trigger, ...]:
    """Read the triggers of a stored definition without the rest of it."""
    triggers: tuple[Trigger, ...] = from_plain(tuple[Trigger, ...], plain)
    return triggers


def _decode(text: str | bytes, faults: Faults) -> str:
    try:
        encoded = text.encode() if isinstance(text, str) else text
        decoded = encoded.decode("utf-8-sig")
    except (UnicodeEncodeError, UnicodeDecodeError) as error:
        raise faults.stop("", f"is not UTF-8: {error.reason}", Place(1, 1)) from None
    if len(encoded) > MAX_CHARACTERS:
        raise faults.stop("", f"has {len(encoded)} bytes; at most {MAX_CHARACTERS} are allowed", Place(1, 1))
    if "\x00" in decoded:
        raise faults.stop("", "holds a NUL", Place(decoded.count("\n", 0, decoded.index("\x00")) + 1, 1))
    return decoded


def _read(node: Node, faults: Faults, executors: frozenset[str]) -> Definition:
    draft: dict[str, Any] | None = read_at(PIPELINE, node, "", faults)
    if draft is None:
        raise faults.invalid()
    normal = normalise(draft, faults)
    check_draft(normal, faults, executors)
    if faults:
        raise faults.invalid()
    definition: Definition = from_plain(Definition, normal)
    check_plan(definition, faults)
    if faults:
        raise faults.invalid()
    return definition
