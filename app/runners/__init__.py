"""Runners: an organization's own machines, which take the stages that ask for their labels. A runner knows the API and
nothing else: it asks for work, is given one attempt of a stage with all it needs, and reports under the attempt's
number, the fencing token, as workers do under theirs. Whatever it sends is held against what it was given.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from app.runners.models import Runner, RunnerToken
from app.runners.waits import look_after
from app.runners.wire import Assignment, assignment_from_json, assignment_to_json

if TYPE_CHECKING:
    from app.runners.routes import blueprints

__all__ = [
    "Assignment",
    "Runner",
    "RunnerToken",
    "assignment_from_json",
    "assignment_to_json",
    "blueprints",
    "look_after",
]


def __getattr__(name: str) -> Any:
    # Flask is loaded by the API alone: workers and runners enter this room too.
    if name == "blueprints":
        return import_module("app.runners.routes").blueprints
    raise AttributeError(name)
