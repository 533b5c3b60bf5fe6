"""`${NAME}` and `${NAME:-default}` in the few places Headrace fills in itself. Scripts are left to their shell."""

import posixpath
import re
from collections.abc import Mapping
from typing import Final

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE = re.compile(rf"\$\{{(?P<name>(?:matrix\.)?{_NAME})(?::-(?P<default>[^}}]*))?\}}", re.ASCII)
_MATRIX: Final = "matrix."


class PathOutside(ValueError):
    """The path leads out of the checkout."""


def variable_name(name: str) -> str:
    """The environment variable behind `name`: `matrix.python` is MATRIX_PYTHON, any other name is itself."""
    return f"MATRIX_{name.removeprefix(_MATRIX).upper()}" if name.startswith(_MATRIX) else name


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`text` with its references filled in, once: what a value brings in is not expanded again.

    A variable that is not set is empty; a default stands in for one that is unset or empty, as in the shell.
    """
    return _REFERENCE.sub(lambda match: look_up(match["name"], match["default"], variables), text)


def look_up(name: str, default: str | None, variables: Mapping[str, str]) -> str:
    return variables.get(variable_name(name), "") or default or ""


def read_reference(text: str) -> tuple[str, str | None] | None:
    """Name and default of `text` when it is one whole reference, else None."""
    match = _REFERENCE.fullmatch(text)
    return (match["name"], match["default"]) if match else None


def matrix_axes(text: str) -> list[tuple[str, int]]:
    """The axes that references in `text` name as `matrix.axis`, each with the character (from 1) it stands at."""
    found = ((match["name"], match.start() + 1) for match in _REFERENCE.finditer(text))
    return [(name.removeprefix(_MATRIX), at) for name, at in found if name.startswith(_MATRIX)]


def malformed_reference(text: str) -> int | None:
    """The character (from 1) at which a `${` stands that begins no reference, or None."""
    rest = _REFERENCE.sub(lambda match: " " * len(match[0]), text)
    at = rest.find("${")
    return at + 1 if at >= 0 else None


def expand_path(text: str, variables: Mapping[str, str], root: str) -> str:
    """`text` expanded and made relative to the absolute directory `root`: `.`, `a/b`. Names only, links not followed.

    Raises PathOutside when it leads out of `root`: a variable may hold `..` or an absolute path.
    """
    path = posixpath.normpath(posixpath.join(root, expand(text, variables)))
    relative = posixpath.relpath(path, root)
    if relative == ".." or relative.startswith("../") or "\x00" in relative:
        raise PathOutside(f"{text} leads out of the checkout")
    return relative
