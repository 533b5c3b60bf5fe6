"""What a job of GitLab keeps: artifacts, reports and caches."""

from __future__ import annotations

import re
from typing import Any, Final

from app.pipelines.definition.tree import Mapping, Node, Scalar
from cli.converting.durations import DAY, written
from cli.converting.gitlab.variables import Known, filled_in
from cli.converting.notes import Notes
from cli.converting.paths import outside, within
from cli.converting.shaping import Tree
from cli.converting.source import entries, get, items, line_of, text_of, texts, whole_of

_UNIT: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)")
_SECONDS: Final = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "wk", "week", "weeks"), 7 * 86_400),
    **dict.fromkeys(("mo", "mos", "month", "months"), 30 * 86_400),
    **dict.fromkeys(("y", "yr", "year", "years"), 365 * 86_400),
}


def seconds_of(text: str) -> int | None:
    """Return the seconds of a time as GitLab writes it, such as `1 week 2 hrs`; None where it is none."""
    if (seconds := whole_of(text)) is not None:
        return seconds
    found = _UNIT.findall(text.lower()[:100])
    if not found or any(unit not in _SECONDS for _, unit in found):
        return None
    return int(sum(float(number) * _SECONDS[unit] for number, unit in found))


def add_artifacts(node: Node | None, known: Known, notes: Notes, stage: Tree) -> None:
    """Take over `artifacts`."""
    for path in _paths(get(node, "paths"), "artifacts", notes, stage):
        artifact: dict[str, Any] = {"path": filled_in(path, known)}
        stage.setdefault("artifacts", []).append({**artifact, **_retention(get(node, "expire_in"))})
    for entry in entries(get(node, "reports")):
        if entry.key == "junit":
            junit = [filled_in(within(path), known) for path in texts(entry.node) if not outside(path)]
            stage["reports"] = {"junit": junit}
        else:
            notes.lost(entry.place.line, f"reports: {entry.key}", "is not read here", stage)
    for entry in entries(node):
        if entry.key in ("exclude", "untracked"):
            notes.lost(entry.place.line, f"artifacts: {entry.key}", "is left out", stage)
        elif entry.key in ("when", "name", "expose_as", "public", "access"):
            notes.moot(
                entry.place.line, f"artifacts: {entry.key}", "artifacts are kept by their paths, also after a failure"
            )


def _retention(node: Node | None) -> dict[str, str]:
    text = text_of(node)
    seconds = 365 * DAY if text == "never" else seconds_of(text or "")
    return {"retention": written(min(max(seconds, 3600), 365 * DAY))} if seconds else {}


def add_caches(node: Node | None, known: Known, notes: Notes, stage: Tree) -> None:
    """Take over `cache`, one or several."""
    for each in items(node):
        paths = _paths(get(each, "paths"), "cache", notes, stage)
        if get(each, "untracked") is not None:
            notes.lost(line_of(each), "cache: untracked", "is left out", stage)
        if not paths:
            continue
        cache: dict[str, Any] = {"key": _key(get(each, "key"), known, notes)}
        cache["paths"] = [filled_in(path, known) for path in paths]
        if fallbacks := texts(get(each, "fallback_keys")):
            cache["restore_keys"] = [filled_in(text, known) for text in fallbacks]
        if (policy := text_of(get(each, "policy"))) in ("pull", "push"):
            cache["policy"] = policy
        if cache["key"] not in {one["key"] for one in stage.get("cache", ())}:
            stage.setdefault("cache", []).append(cache)


def _key(node: Node | None, known: Known, notes: Notes) -> str:
    if isinstance(node, Mapping):
        files = ",".join(texts(get(node, "files")))
        prefix = text_of(get(node, "prefix"))
        return (f"{filled_in(prefix, known)}-" if prefix else "") + f"${{hash:{files}}}"
    key = filled_in(text_of(node) or "default", known)
    notes.check(line_of(node), "cache: key", "a key is written once here: add ${hash:FILE} of what decides it")
    return key


def _paths(node: Node | None, what: str, notes: Notes, stage: Tree) -> list[str]:
    kept = []
    for path in texts(node):
        if outside(path):
            notes.lost(line_of(node), what, f"{path} is outside of the checkout; it is left out", stage)
        else:
            kept.append(within(path))
    return kept


def image_of(node: Node | None) -> str | None:
    """Return the image that a job names."""
    return text_of(node) if isinstance(node, Scalar) else text_of(get(node, "name"))
