"""What README.md says about curl is true, to the letter."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.source import ROOT
from tests.support.platform import Platform
from tests.support.repositories import Repository

PIPELINE = """
name: engine
stages:
  - name: build
    steps:
      - name: compile
        run: echo compiled > engine.out; echo done
    artifacts: [engine.out]
"""


def examples() -> list[str]:
    """Return the commands of the section about curl, in order."""
    section = (ROOT / "README.md").read_text().split("## With curl", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


class Shell:
    """A user's shell: it keeps what the README says to keep."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.variables = {"PATH": "/usr/local/bin:/usr/bin:/bin"} | variables

    def run(self, command: str) -> str:
        ended = subprocess.run(
            ["bash", "-ec", command], cwd=self.folder, env=self.variables, capture_output=True, text=True, timeout=60
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def data(self, command: str) -> Any:
        said = json.loads(self.run(command).rpartition("\n\n")[2])
        assert "data" in said, said
        return said["data"]


@pytest.mark.slow
def test_the_examples_of_the_readme_work_in_their_order(
    platform: Platform, repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "headrace.yml").write_text(PIPELINE)
    shell = Shell(tmp_path, API=f"{platform.base}/api/v1", REPO=repository.url)
    register, make_workspace, make_pipeline, start, follow, read, log, artifacts = examples()
    shell.variables["TOKEN"] = shell.data(register)["access_token"]
    shell.variables["WORKSPACE"] = shell.data(make_workspace)["id"]
    shell.variables["PIPELINE"] = shell.data(make_pipeline)["id"]
    accepted = shell.run(start)
    assert accepted.startswith("HTTP/1.1 202")
    assert "Location: /api/v1/jobs/" in accepted
    shell.variables["EXECUTION"] = json.loads(accepted.rpartition("\n\n")[2])["data"]["id"]
    events = shell.run(follow)
    assert "event: execution.finished" in events
    assert events.rstrip().endswith("data: {}")
    assert shell.data(read)["status"] == "succeeded"
    assert "done\n" in shell.run(log)
    assert [kept["name"] for kept in shell.data(artifacts)] == ["engine.out"]
