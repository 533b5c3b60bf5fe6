"""The textbook's platform, running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from bench.bare import tables
from bench.caller import ONE_STEP
from bench.client import Connection, request_bytes
from bench.ground import Ground, Programs
from bench.targets import GUNICORN

FLOWER = "python -m celery --app bench.bare.tasks flower --address=127.0.0.1 --port=${FLOWER_PORT} --logging=warning"
WORKER = (
    "python -m celery --app bench.bare.tasks worker --queues bare --hostname bare@%h --concurrency 2"
    " --without-gossip --without-mingle --events --loglevel INFO"
)


@dataclass(frozen=True, slots=True)
class Textbook:
    """Its programs, its one user and one pipeline."""

    programs: Programs
    token: str
    pipeline_id: UUID


@contextmanager
def textbook(ground: Ground, name: str, **commands: str) -> Iterator[Textbook]:
    """Run the textbook's API and other programs of its."""
    programs = ground.programs(name, {"web": f"{GUNICORN} bench.bare.textbook:app", **commands}, empty=True)
    user_id, pipeline_id = tables.seed(programs.settings.database_url, ONE_STEP)
    with programs.running():
        login = request_bytes("POST", f"/login/{user_id}")
        token = json.loads(Connection(programs.port).send(login, 200))["token"]
        yield Textbook(programs, token, pipeline_id)
