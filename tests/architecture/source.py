"""The source files, parsed, for the tests of the house rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "tasks", "workers", "config", "launcher", "cli", "migrations", "tests", "bench")
PRODUCT = ("app", "tasks", "workers", "config", "launcher", "cli")


@cache
def files(*packages: str) -> tuple[Path, ...]:
    """Return the Python files of the packages."""
    return tuple(
        path
        for package in packages or PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if "__pycache__" not in path.parts
    )


@cache
def tree(path: Path) -> ast.Module:
    """Return a file, parsed."""
    return ast.parse(path.read_text(), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions and methods of a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body, its docstring not counted."""
    first = node.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = node.body[1].lineno if has_docstring and len(node.body) > 1 else first.lineno
    return (node.end_lineno or start) - start + 1


def name(path: Path) -> str:
    """Return a file's place in the repository."""
    return str(path.relative_to(ROOT))
