"""The secrets of a stage, read once before it starts: its steps get those they name, and nothing it says shows any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from app.jobs import Run
from app.kernel.errors import HeadraceError
from app.pipelines import OF_REPOSITORY, Briefing, reveal_for_stage, reveal_secrets
from app.pipelines.definition import PlannedStep
from tasks.pipelines.gateways.base import GitCredentials
from tasks.pipelines.masking import Masker
from tasks.tools import Tools

USERNAME, PASSWORD = OF_REPOSITORY
DEFAULT_USERNAME: Final = "git"
# With the variables of a step this stays well below the two mebibytes that Linux takes.
MOST_BYTES: Final = 1024 * 1024
UNTRUSTED: Final = (
    "It names secrets, and this run is of a pull request from a fork: it gets none until somebody approves it"
    " (POST /api/v1/executions/{id}/trust)."
)


class Secrets:
    """Values by name, in this process alone. `masker` masks them all, whichever step has named them.

    `opening` are those of the workspace itself that open its repository for the platform's own git: a wider place's
    would be sent to any host that some workspace names. Of an execution that is not `trusted` no step gets any.
    """

    def __init__(self, opening: Mapping[str, str], values: Mapping[str, str], *, trusted: bool = True) -> None:
        self._opening = opening
        self._values = values
        self._trusted = trusted
        self.masker = Masker([*opening.values(), *values.values()])

    def fault_of(self, step: PlannedStep) -> str | None:
        """Return what keeps a step from getting the secrets it names, or None."""
        if step.secrets and not self._trusted:
            return UNTRUSTED
        for name in step.secrets:
            if name not in self._values:
                return f"There is no secret {name} of this pipeline, its workspace or its organization."
        if sum(len(value.encode()) for value in self.given_to(step).values()) > MOST_BYTES:
            return f"Its secrets take more than {MOST_BYTES} bytes together."
        return None

    def given_to(self, step: PlannedStep) -> dict[str, str]:
        """Return what a step finds in its environment."""
        return {name: self._values[name] for name in step.secrets} if self._trusted else {}

    def login(self) -> GitCredentials | None:
        """Return what opens the workspace's repository, if the workspace has it."""
        if PASSWORD not in self._opening:
            return None
        return GitCredentials(self._opening.get(USERNAME, DEFAULT_USERNAME), self._opening[PASSWORD])

    def hide(self, text: str) -> str:
        """Return the text without any of the values."""
        return self.masker.mask(text.encode(errors="replace")).decode(errors="replace")

    @contextmanager
    def hidden_in_errors(self) -> Iterator[None]:
        """Keep the values out of the message of any error that leaves the block: it is stored and shown."""
        try:
            yield
        except HeadraceError as error:
            error.message = self.hide(error.message)
            error.args = (error.message,)
            raise


def read_secrets(run: Run, tools: Tools, briefing: Briefing) -> Secrets:
    """Read what opens the repository and, of a trusted execution, what its steps name; raises Undecryptable."""
    with run.reading() as session:
        opening, values = reveal_for_stage(session, tools.vault, briefing)
    return Secrets(opening, values, trusted=briefing.trusted)


def read_login(run: Run, tools: Tools, workspace_id: UUID) -> Secrets:
    """Read what opens the repository, and nothing for steps; raises Undecryptable."""
    with run.reading() as session:
        return Secrets(reveal_secrets(session, tools.vault, workspace_id, OF_REPOSITORY), {})
