"""Writing a definition as YAML that people like to read: blocks, comments, and the order of the keys as it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from app.pipelines.definition.tree import read_number

WIDTH: Final = 100

Comments = Callable[[Any], list[str]]

_PLAIN: Final = re.compile(r"[A-Za-z_./$][A-Za-z0-9_./$@%+=() *-]*|[0-9]+[dhms]", re.ASCII)
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~"})


def write_yaml(tree: dict[str, Any], comments: Comments) -> str:
    """Return the text; `comments` gives the lines to write before a map."""
    lines: list[str] = []
    for key, value in tree.items():
        if key in ("environment", "stages", "timeout", "triggers") and lines:
            lines.append("")
        lines += _entry(key, value, "", comments)
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any, indent: str, comments: Comments) -> Iterator[str]:
    head = f"{indent}{_scalar(key)}:"
    if isinstance(value, str) and _is_block(value):
        yield f"{head} |"
        yield from (f"{indent}  {line}" if line else "" for line in value.rstrip("\n").split("\n"))
    elif isinstance(value, dict | list) and _flow(value, comments) is None:
        yield head
        yield from _block(value, f"{indent}  ", comments)
    else:
        yield f"{head} {_flow(value, comments)}"


def _block(value: dict[str, Any] | list[Any], indent: str, comments: Comments) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _entry(key, each, indent, comments)
        return
    for number, each in enumerate(value):
        if number and isinstance(each, dict) and "steps" in each:
            yield ""
        yield from (f"{indent}# {comment}" for comment in comments(each))
        yield from _item(each, indent, comments)


def _item(value: Any, indent: str, comments: Comments) -> Iterator[str]:
    flow = None if isinstance(value, dict) and "name" in value and "steps" in value else _flow(value, comments)
    if flow is not None:
        yield f"{indent}- {flow}"
        return
    lines = list(_block(value, f"{indent}  ", comments))
    yield f"{indent}- {lines[0].lstrip()}"
    yield from lines[1:]


def _flow(value: Any, comments: Comments) -> str | None:
    """Return a value on one line, or None for what is better written as a block."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return None if _is_block(value) else _scalar(value)
    if isinstance(value, int | float):
        return str(value)
    parts = [_flow(each, comments) for each in (value.values() if isinstance(value, dict) else value)]
    if any(part is None for part in parts) or any(comments(each) for each in _maps(value)):
        return None
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{_scalar(key)}: {part}" for key, part in zip(value, parts, strict=True)) + "}"
    else:
        text = f"[{', '.join(map(str, parts))}]"
    return text if len(text) <= WIDTH else None


def _maps(value: Any) -> list[Any]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _is_block(text: str) -> bool:
    lines = text.split("\n")
    return (
        len(lines) > 1
        and lines[0][:1] not in ("", " ", "\t")
        and text.endswith("\n")
        and not text.endswith("\n\n")
        and all(line.replace("\t", "").isprintable() for line in lines)
    )


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text == text.strip() and text.lower() not in _WORDS and read_number(text) is None:
        return text
    return _escape(json.dumps(text, ensure_ascii=False))


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else _code(ord(char)) for char in text)


def _code(number: int) -> str:
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
