"""One attempt of a stage, as those who do it are handed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.jobs import Stoppable
from app.pipelines import Briefing
from app.pipelines.definition import stage_variables
from tasks.pipelines.gateways.containers import Site
from tasks.pipelines.recorder import Recorder
from tasks.pipelines.secrets import Secrets
from tasks.tools import Workbench


@dataclass(frozen=True, slots=True)
class StageWork:
    """What is to be done, with what, where it is written down, and who may stop it. `find_site` says where containers
    run that run on clusters."""

    run: Stoppable
    bench: Workbench
    recorder: Recorder
    briefing: Briefing
    secrets: Secrets
    find_site: Callable[[], Site] | None = None

    @property
    def variables(self) -> dict[str, str]:
        """What globs, names and keys of the stage may name."""
        told = self.briefing
        return stage_variables(told.plan, told.planned, commit_sha=told.commit_sha, attempt=told.attempt)
