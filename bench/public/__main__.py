"""`python -m bench.public [NAME[=REPOSITORY]…]`: runs public projects' own checks through a platform, and draws them.

Each project's history is cloned (from REPOSITORY where its host cannot be reached), the definition beside this file is
committed on top of a release, and what is run is pushed to nobody. Needs a network: the projects' requirements are
installed by the projects' own means. Ends with 1 when a run did not succeed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.caller import Caller, newcomer
from bench.findings import Finding, table
from bench.ground import Ground
from bench.public.picture import draw, seconds_of
from launcher.demo.api import Api

HERE = Path(__file__).parent
PROCESSES = ("web", "worker-interactive", "worker-ci", "relay")
FINAL = ("succeeded", "failed", "cancelled", "timed_out", "skipped")
MOST_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Project:
    """A public repository and the release that is built."""

    name: str
    home: str
    release: str

    @property
    def definition(self) -> bytes:
        """The pipeline file that is committed on top of the release."""
        return (HERE / f"{self.name}.yml").read_bytes()

    def clone(self, source: str, folder: Path) -> str:
        """Clone its history with the pipeline file on top, and return the clone's address."""
        who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com")
        subprocess.run(["git", "clone", "-q", source, str(folder)], check=True)
        _git(folder, "checkout", "-q", "-B", "main", self.release)
        (folder / "headrace.yml").write_bytes(self.definition)
        _git(folder, "add", "headrace.yml")
        _git(folder, *who, "commit", "-q", "-m", f"Build {self.name} with Headrace")
        return f"file://{folder}"


PROJECTS = {
    project.name: project
    for project in (
        Project("click", "https://github.com/pallets/click", "8.5.0"),
        Project("express", "https://github.com/expressjs/express", "v5.2.1"),
    )
}


def main() -> int:
    """Run each project twice, without caches and with them; returns 1 when a run did not succeed."""
    parser = argparse.ArgumentParser(prog="python -m bench.public", description=__doc__)
    parser.add_argument("projects", nargs="*", default=list(PROJECTS), help=f"any of {', '.join(PROJECTS)}")
    parser.add_argument("--pictures", type=Path, help="folder to draw the runs in")
    arguments = parser.parse_args()
    chosen = [(PROJECTS[name], source) for name, _, source in (named.partition("=") for named in arguments.projects)]
    findings: list[Finding] = []
    succeeded = True
    with Ground.opened() as ground, ground.platform("public", *PROCESSES) as ours:
        for project, source in chosen:
            repository = project.clone(source or project.home, ours.folder / project.name)
            caller = newcomer(ours.base, repository)
            runs = [_run(caller, project) for _ in range(2)]
            succeeded = succeeded and all(run["status"] == "succeeded" for run in runs)
            findings += _findings(caller.api, project, runs)
            if arguments.pictures:
                (arguments.pictures / f"{project.name}.svg").write_text(draw(project.name, runs[-1]))
    print(table(findings))
    return 0 if succeeded else 1


def _run(caller: Caller, project: Project) -> dict[str, Any]:
    """Return the execution as it ended; what failed is told on stderr with the end of its log."""
    path = f"/workspaces/{caller.workspace_id}/pipelines"
    known = [one for one in caller.api.get(path).data if one["name"] == project.name]
    pipeline = known[0] if known else caller.api.post(path, project.definition, Content_Type="application/yaml").data
    execution_id, deadline = caller.start(pipeline["id"])["id"], time.monotonic() + MOST_SECONDS
    while (execution := caller.api.get(f"/executions/{execution_id}").data)["status"] not in FINAL:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{project.name} did not end")
        time.sleep(0.5)
    _tell_failures(caller.api, execution)
    print(f"{project.name} {execution['status']} in {seconds_of(execution):.0f} s", file=sys.stderr, flush=True)
    return dict(execution)


def _tell_failures(api: Api, execution: dict[str, Any]) -> None:
    for stage in execution["stages"]:
        for step in stage["steps"]:
            if step["status"] == "failed":
                _tell_end_of_log(api, execution["id"], stage["name"], step["name"])


def _tell_end_of_log(api: Api, execution_id: str, stage: str, step: str) -> None:
    print(f"{stage} / {step} failed:", file=sys.stderr)
    for line in api.get(f"/executions/{execution_id}/logs/{stage}/{step}?tail=30").data["logs"]:
        print(f"  {line['message']}", file=sys.stderr)


def _findings(api: Api, project: Project, runs: list[dict[str, Any]]) -> list[Finding]:
    cold, warm = map(seconds_of, runs)
    counted = api.get(f"/executions/{runs[-1]['id']}/tests/summary").data
    return [
        Finding(f"{project.name} {project.release}: tests that passed", counted["passed"]),
        Finding(f"{project.name}: tests that did not", counted["failed"] + counted["error"]),
        Finding(f"{project.name}: the run, caches empty", cold, "s"),
        Finding(f"{project.name}: the run again", warm, "s", "without caches", cold),
    ]


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
