"""Problems: listed, told with their signals and timelines, moved on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask.views import MethodView
from sqlalchemy import Select

from app.http import load, principal, requires, transaction
from app.sre.models import Problem
from app.sre.problems.moves import change_problem
from app.sre.problems.rows import show_signal
from app.sre.problems.timeline import read_timeline
from app.sre.queries import signals_of, visible_problems
from app.sre.routes.base import blueprint
from app.sre.schemas.problems import ProblemChange, ProblemFilters, ProblemSchema, WholeProblemSchema

SORT = {"created_at": Problem.created_at, "opened_at": Problem.opened_at}


@blueprint.route("/sre/problems")
class Problems(MethodView):
    """Problems of all organizations."""

    @blueprint.paged(ProblemSchema, sort=SORT, default="-created_at", filters=ProblemFilters)
    @requires("sre:read")
    def get(self, filters: dict[str, Any]) -> Select[Problem]:
        """The problems that the caller may read"""
        return visible_problems(principal(), filters)


@blueprint.route("/sre/problems/<uuid:problem_id>")
class OneProblem(MethodView):
    """A problem."""

    @blueprint.response(200, WholeProblemSchema)
    @requires("sre:read")
    def get(self, problem_id: UUID) -> dict[str, Any]:
        """A problem with all that belongs to it, what is suspected to have come first and why, and what happened"""
        with transaction() as session:
            problem = load(session, Problem, problem_id)
            shown = {name: getattr(problem, name) for name in ProblemSchema().fields}
            signals = [show_signal(one) for one in signals_of(session, problem)]
            return shown | {"signals": signals, "timeline": read_timeline(session, problem_id)}

    @blueprint.arguments(ProblemChange)
    @blueprint.response(200, ProblemSchema)
    @blueprint.refuses(409)
    @requires("sre:write")
    def patch(self, body: dict[str, Any], problem_id: UUID) -> Problem:
        """Move a problem on (`open` → `investigating` → `resolved` → `closed`, and back until it is closed), give it to
        somebody, or note something on it; what still holds opens it again a quarter of an hour after it was resolved"""
        with transaction() as session:
            problem = load(session, Problem, problem_id, for_update=True)
            return change_problem(session, problem, principal(), body)
