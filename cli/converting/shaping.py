"""Bringing what was converted into the shape that a definition must have, whatever the file held.

Names are made fit first. What the check of definitions still refuses is then left out, piece by piece and with a note,
until the rest passes: nothing that comes out of a conversion is refused by the platform.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from app.pipelines.definition import DefinitionInvalid, parse_tree
from cli.converting.notes import NotConvertible, Notes

Tree = dict[str, Any]

NEVER: Final = "false"
LONGEST_NAME: Final = 80
MOST_REPAIRS: Final = 60

_UNFIT: Final = re.compile(r"[/\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_PART: Final = re.compile(r"\[(?:(?P<index>\d+)|'(?P<quoted>.*?)')\]|(?P<key>[^.\[\]]+)")
_ORDER: Final = {
    "": ("name", "triggers", "environment", "timeout", "retry_count", "concurrency", "stages"),
    "stages": (
        *("name", "description", "depends_on", "condition", "when", "approval", "deploys_to", "environment", "timeout"),
        *(
            "retry_count",
            "continue_on_error",
            "matrix",
            "runs_on",
            "image",
            "services",
            "artifacts",
            "cache",
            "reports",
        ),
        "steps",
    ),
    "steps": (
        *("name", "condition", "when", "continue_on_error", "timeout", "image", "working_directory", "environment"),
        *("secrets", "run"),
    ),
}


def fit_name(text: str, taken: Collection[str] = (), default: str = "step") -> str:
    """Return a name that a definition may hold and that nobody has yet."""
    base = " ".join(_UNFIT.sub("-", text).split())[:LONGEST_NAME].strip()
    base = default if base in ("", ".", "..") else base
    name, number = base, 2
    while name in taken:
        name, number = f"{base} {number}", number + 1
    return name


def fit_variable(text: str) -> str:
    """Return the text as the name of a variable: what no such name may hold becomes `_`."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", text)[:50]
    return f"_{name}" if name[:1].isdigit() or not name else name


def deploys_to(name: str, url: str | None) -> str | Tree:
    """Return where a stage deploys to: a name, with an address where there is one that can be said."""
    return {"name": name, "url": url} if url and url.startswith(("http://", "https://")) else name


def tidy(tree: Tree) -> None:
    """Bring the keys of a definition, in place, into the order in which people write them; empty ones are left out."""
    for stage in tree["stages"]:
        for step in stage["steps"]:
            _tidy(step, "steps")
        _tidy(stage, "stages")
    _tidy(tree, "")


def _tidy(tree: Tree, kind: str) -> None:
    ranks = {key: rank for rank, key in enumerate(_ORDER[kind])}
    kept = {key: value for key, value in tree.items() if key == "depends_on" or value not in (None, "", {}, [])}
    tree.clear()
    tree.update(sorted(kept.items(), key=lambda pair: ranks.get(pair[0], len(ranks) - 2)))


def settle(tree: Tree, notes: Notes) -> None:
    """Leave out of a definition, in place, what the check refuses; raises NotConvertible where nothing is left."""
    for _ in range(MOST_REPAIRS):
        if not tree.get("stages"):
            raise NotConvertible("has nothing in it that Headrace could run")
        try:
            parse_tree(tree)
        except DefinitionInvalid as error:
            fault = error.faults[0]
            notes.lost(None, fault.path or "result", f"left out: {fault.message}")
            if not _leave_out(tree, fault.path):
                raise NotConvertible(f"{fault.path}: {fault.message}") from None
        else:
            return
    raise NotConvertible("has too many things that Headrace does not allow")


def _leave_out(tree: Tree, path: str) -> bool:
    """Take out the smallest thing at a path that may be missing; tell whether there was one."""
    parts = [match["key"] or match["quoted"] or int(match["index"]) for match in _PART.finditer(path)]
    holders = _walk(tree, parts)
    for depth in range(len(holders) - 1, -1, -1):
        holder, part = holders[depth]
        if part == "condition":
            holder["condition"] = NEVER
            return True
        if isinstance(holder, list) and isinstance(part, int):
            gone = holder.pop(part)
            _forget_stage(tree, gone)
            return True
        if isinstance(holder, dict) and part not in ("name", "steps", "stages", "run", "key", "path", "trigger_type"):
            del holder[part]
            return True
    return False


def _walk(tree: Any, parts: list[str | int]) -> list[tuple[Any, str | int]]:
    found: list[tuple[Any, str | int]] = []
    for part in parts:
        known = (isinstance(tree, dict) and part in tree) or (
            isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        )
        if not known:
            break
        found.append((tree, part))
        tree = tree[part]
    return found


def _forget_stage(tree: Tree, gone: Any) -> None:
    if not (isinstance(gone, dict) and "steps" in gone):
        return
    for stage in tree["stages"]:
        if gone.get("name") in stage.get("depends_on", ()):
            stage["depends_on"] = [name for name in stage["depends_on"] if name != gone["name"]]
