"""Small files, short functions: what can be read at once can be right."""

from __future__ import annotations

import ast

from tests.architecture.source import files, functions, length, name, tree

MOST_LINES = 300
MOST_FUNCTION_LINES = 40
MOST_ROUTE_LINES = 12


def test_no_file_is_longer_than_300_lines() -> None:
    lines = {name(path): len(path.read_text().splitlines()) for path in files()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_longer_than_40_lines() -> None:
    long = [
        f"{name(path)}:{node.lineno} {node.name}: {length(node)}"
        for path in files()
        for node in functions(path)
        if length(node) > MOST_FUNCTION_LINES
    ]
    assert long == []


def test_no_route_method_is_longer_than_12_lines() -> None:
    long = [
        f"{name(path)}:{method.lineno} {view.name}.{method.name}: {length(method)}"
        for path in files("app")
        for view in ast.walk(tree(path))
        if isinstance(view, ast.ClassDef) and any(getattr(base, "id", "") == "MethodView" for base in view.bases)
        for method in view.body
        if isinstance(method, ast.FunctionDef) and length(method) > MOST_ROUTE_LINES
    ]
    assert long == []
