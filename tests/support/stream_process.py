"""A stream process for tests: the real one, with logs and ended rights told by files in a folder.

`<step id>.json` holds `{"attempts": {"1": [line, …]}, "ended": bool}`, `ended` the ids of logins and organizations that
give no right any more, one a line. A token is the JSON of `{"user", "login", "organization"}`; with a `secret` in the
settings tokens are real ones, and rights those in the database.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.identity import AccountDisabled, TokenExpired, TokenInvalid, TokenReader, TokenRevoked, rights_ended
from app.kernel.crypto import Vault
from app.kernel.live import LiveReader
from app.kernel.opening import open_database, open_redis
from app.kernel.presence import RedisPresence
from app.kernel.principal import Principal
from app.messaging import memberships_ended
from app.realtime import Parts, Right, run_streams

READING = frozenset({"jobs:read", "executions:read", "workspaces:read"})


@dataclass(frozen=True)
class FilePage:
    """Lines read from a file."""

    lines: Sequence[dict[str, Any]]
    attempt: int
    ended: bool


class FileLogs:
    """Reads logs from files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, step_run_id: UUID, after: tuple[int, int], limit: int) -> FilePage:
        """Read as LogReader says."""
        log = json.loads((self._folder / f"{step_run_id}.json").read_text())
        for number in sorted(map(int, log["attempts"])):
            lines = [line for line in log["attempts"][str(number)] if (number, line["seq"]) > after]
            if lines:
                return FilePage(lines[:limit], number, log["ended"])
        return FilePage([], after[0], log["ended"])


class FileCallers:
    """Believes what a token says of its bearer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def recognize(self, token: str, address: str | None = None) -> Principal:
        """Recognize as Callers says; `expired` is a token that was good once, `disabled` one of somebody who is shut
        out."""
        if token == "expired":
            raise TokenExpired
        if token == "disabled":
            raise AccountDisabled
        try:
            said = {name: UUID(text) for name, text in json.loads(token).items()}
        except (ValueError, AttributeError) as error:
            raise TokenInvalid from error
        grants = {said["user"]: frozenset[str]()}
        if "organization" in said:
            grants[said["organization"]] = READING
        return self._judge(Principal(said["user"], "somebody", grants=grants, session_id=said["login"]))

    def renew(self, session: Session, caller: Principal) -> Principal:
        """Look again as Callers says."""
        assert session.is_active
        return self._judge(caller)

    def _judge(self, caller: Principal) -> Principal:
        ended = ended_rights(self._folder)
        if str(caller.session_id) in ended:
            raise TokenRevoked
        left = {place: held for place, held in caller.grants.items() if str(place) not in ended}
        return replace(caller, grants=left)


def ended_rights(folder: Path) -> list[str]:
    """Return the ids of the logins and organizations that give no right any more."""
    return (folder / "ended").read_text().split()


async def main(settings: dict[str, Any]) -> None:
    """Run until SIGTERM."""
    folder = Path(settings["folder"])
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    live = LiveReader.open(settings["redis_url"])
    presence = RedisPresence.open(settings["redis_url"], uuid4().hex)
    database = open_database(settings["database_url"], open_redis(settings["redis_url"]), pool_size=8)
    secret = settings.get("secret")

    def ended(session: Session, rights: Collection[Right]) -> set[Right]:
        if secret:
            return {*rights_ended(session, rights), *memberships_ended(session, rights)}
        gone = ended_rights(folder)
        return {right for right in rights if {str(right.session_id), *map(str, right.places)} & set(gone)}

    parts = Parts(
        socket_path=Path(settings["socket"]),
        max_streams=settings["max_streams"],
        database=database,
        live=live,
        log_reader=FileLogs(folder),
        callers=TokenReader(database, Vault(secret), "http://127.0.0.1") if secret else FileCallers(folder),
        ended=ended,
        count_message=lambda caller: None,
        presence=presence,
        max_websockets_per_client=settings["max_websockets"],
        beat_seconds=settings["beat_seconds"],
        auth_seconds=settings["auth_seconds"],
    )
    await run_streams(parts, stop)
    await live.close()
    await presence.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(json.loads(sys.argv[1])))
