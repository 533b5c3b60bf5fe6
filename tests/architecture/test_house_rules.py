"""House rules that a linter does not know."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.architecture.source import PRODUCT, ROOT, files, name, tree

# A program of its own: it hands on the bare environment it was started with.
# Where a program begins: it hands the environment on as a value.
COMMAND_LINE = "cli/__main__.py"
STEP_SUPERVISOR = "tasks/pipelines/gateways/sandbox/supervise.py"
# Who runs an installation names the providers; no user can send a request elsewhere by them.
LOGIN_PROVIDERS = "app/identity/gateways/base.py"
ROOMS = {path.name for path in (ROOT / "app").iterdir() if path.is_dir() and path.name not in ("kernel", "__pycache__")}


def test_the_kernel_owns_the_only_commit() -> None:
    commits = Counter(
        name(path)
        for path in files(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "commit"
    )
    assert commits == {"app/kernel/db.py": 1}


def test_the_environment_is_read_in_config_alone() -> None:
    readers = {
        name(path)
        for path in files("app", "tasks", "workers", "cli")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and getattr(node.value, "id", "") == "os"
    }
    assert readers <= {STEP_SUPERVISOR, COMMAND_LINE}


def test_another_room_is_entered_by_its_door() -> None:
    trespasses = [
        f"{name(path)}:{node.lineno} {node.module}"
        for path in files("app", "tasks", "workers", "cli")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and _is_shelf(node.module)
        and not _is_home(path, node.module)
    ]
    assert trespasses == []


def _is_shelf(module: str) -> bool:
    parts = module.split(".")
    return len(parts) > 2 and parts[0] == "app" and parts[1] in ROOMS


def _is_home(path: Path, module: str) -> bool:
    parts, place = module.split("."), path.relative_to(ROOT).parts
    furniture = place[:2] == ("app", "tables.py") and parts[2] == "models"
    pure_package = parts[:3] == ["app", "pipelines", "definition"]
    return place[:2] == ("app", parts[1]) or furniture or pure_package


def test_requests_to_servers_of_others_go_through_one_gateway() -> None:
    clients = {"http.client", "urllib.request", "urllib3", "httpx", "requests", "aiohttp"}
    found = {
        name(path)
        for path in files("app", "tasks", "workers")
        for node in ast.walk(tree(path))
        if clients & {*_imported(node)}
    }
    assert found == {"tasks/gateways/http.py", LOGIN_PROVIDERS}


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def test_the_import_contracts_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    ended = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-4000:]
