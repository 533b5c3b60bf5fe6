"""Somebody who uses a platform under measurement as its users do: by the public API alone."""

from __future__ import annotations

import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launcher.demo.api import Api

API = "/api/v1"
ONE_STEP = {"name": "one-step", "stages": [{"name": "build", "steps": [{"name": "make", "run": "true"}]}]}
FOUR_STAGES = {
    "name": "four-stages",
    "stages": [
        {"name": "lint", "steps": [{"name": name, "run": "true"} for name in ("tools", "format", "style")]},
        {"name": "unit", "depends_on": ["lint"], "steps": [{"name": "tests", "run": "true"}]},
        {"name": "flow", "depends_on": ["lint"], "steps": [{"name": name, "run": "true"} for name in ("up", "walk")]},
        {"name": "package", "depends_on": ["unit", "flow"], "steps": [{"name": "archive", "run": "true"}]},
    ],
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A user with a workspace of their own."""

    api: Api
    workspace_id: str

    @property
    def token(self) -> str:
        """What their requests carry."""
        return self.api.token

    def pipeline(self, definition: dict[str, Any]) -> str:
        """Make a pipeline and return its id."""
        return str(self.api.post(f"/workspaces/{self.workspace_id}/pipelines", definition).data["id"])

    def start(self, pipeline_id: str) -> dict[str, Any]:
        """Start an execution and return it."""
        execution: dict[str, Any] = self.api.post(f"/pipelines/{pipeline_id}/executions", {}).data
        return execution


def newcomer(base: str, repository: str = "https://git.example.com/team/shop.git") -> Caller:
    """Register, log in and make a workspace for a repository."""
    api = Api(base)
    login = {"username": f"bench-{secrets.token_hex(4)}", "password": secrets.token_urlsafe(18)}
    api.post("/auth/register", {**login, "email": f"{login['username']}@example.com"})
    api.token = str(api.post("/auth/login", login).data["access_token"])
    workspace = api.post("/workspaces", {"name": "bench", "repository_url": repository}).data
    return Caller(api, str(workspace["id"]))


def make_repository(folder: Path, **files: str) -> str:
    """Make a git repository with one commit on `main` and return its address."""
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("A repository to be measured with.\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-q", "-m", "A first commit")):
        subprocess.run(("git", *command), cwd=folder, check=True)
    return f"file://{folder}"
