"""What a runner does as a whole: register, ask for work, leave."""

from __future__ import annotations

import threading
import time
from typing import Any

from flask.views import MethodView

from app.http import platform, public, transaction
from app.jobs import Claim
from app.kernel.errors import HeadraceError
from app.runners import claiming, registering
from app.runners.models import Runner
from app.runners.routes.base import by_runner, current_runner, machines
from app.runners.schemas import RegisteredSchema, RegistrationSchema, RunnerSchema
from app.runners.wire import assignment_to_json
from app.runners.work_schemas import ClaimedSchema, ClaimSchema

LOOK_SECONDS = 0.5
ASK_AGAIN = 3.0
ITSELF = ("version", "system", "sandbox", "capacity")
# A runner that waits takes a thread of the API; the next is answered at once, and asks again.
WAITERS = threading.BoundedSemaphore(2)

Answer = dict[str, Any]


@machines.route("/runner/register")
class Registration(MethodView):
    """Becoming a runner."""

    @machines.arguments(RegistrationSchema)
    @machines.response(201, RegisteredSchema)
    @machines.refuses(401)
    @public
    def post(self, body: dict[str, Any]) -> Answer:
        """Register this machine with a token that somebody has made, and get its own, which is shown this one time."""
        with transaction() as session:
            runner, text = registering.register(session, platform().vault, body.pop("token"), body)
            return {name: getattr(runner, name) for name in RunnerSchema().fields} | {"token": text}


@machines.route("/runner")
class Itself(MethodView):
    """The runner itself."""

    @machines.response(200, RunnerSchema)
    @by_runner
    def get(self) -> Runner:
        """Read what the platform knows of this runner"""
        return current_runner()

    @machines.response(204)
    @by_runner
    def delete(self) -> None:
        """Leave: the token is refused from now on"""
        with transaction() as session:
            session.delete(session.get_one(Runner, current_runner().id))


@machines.route("/runner/claim")
class NextStage(MethodView):
    """Work."""

    @machines.arguments(ClaimSchema)
    @machines.response(200, ClaimedSchema)
    @by_runner
    def post(self, body: dict[str, Any]) -> Answer:
        """Ask for a stage to run; the reply may be held until there is one. Secrets come in this reply alone."""
        runner = current_runner()
        _settle(runner, body)
        if runner.draining or len(body["holding"]) >= body["capacity"]:
            return _nothing(runner)
        asked_at = time.monotonic()
        claimed = _wait_for_one(runner, body["wait"])
        has_waited = 0 < body["wait"] <= time.monotonic() - asked_at
        return _nothing(runner, 0.0 if has_waited else ASK_AGAIN) if claimed is None else _assign(runner, claimed)


def _settle(runner: Runner, body: Answer) -> None:
    """Keep what the runner says of itself, and give up what it has lost, each in its own transaction."""
    with transaction() as session:
        registering.note_self(session, runner, {name: body[name] for name in ITSELF})
        lost = claiming.find_lost(session, runner, body["holding"])
    for one in lost:
        with transaction() as session:
            claiming.give_up(session, one)


def _nothing(runner: Runner, retry_after: float = ASK_AGAIN) -> Answer:
    return {"assignment": None, "draining": runner.draining, "retry_after": retry_after}


def _wait_for_one(runner: Runner, seconds: float) -> Claim | None:
    """Return a claim as soon as there is something to claim, without a transaction that is open meanwhile."""
    if (claimed := _claim(runner)) is not None or seconds <= 0 or not WAITERS.acquire(blocking=False):
        return claimed
    try:
        deadline = time.monotonic() + seconds
        while claimed is None and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
            claimed = _claim(runner)
        return claimed
    finally:
        WAITERS.release()


def _claim(runner: Runner) -> Claim | None:
    with transaction() as session:
        now = registering.look_again(session, runner.id)
        return None if now.draining else claiming.claim_next(session, now, platform().runner_lease_seconds)


def _assign(runner: Runner, claimed: Claim) -> Answer:
    try:
        with transaction() as session:
            given = claiming.begin(session, platform().vault, runner, claimed)
    except HeadraceError as error:
        with transaction() as session:
            claiming.fail_unassigned(session, claimed, error)
        return _nothing(runner)
    return {"assignment": assignment_to_json(given), "draining": False, "retry_after": 0.0}
