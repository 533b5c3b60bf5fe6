"""The faults: each begins at its time and hands back what ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import redis

from launcher.processes import Birth
from tests.faults.ground import Ground, send
from tests.faults.schedule import Fault
from tests.support.platform import children_of

Ending = Callable[[], None]
SOCKET_SECONDS = 1.0


def _kill_child(ground: Ground, fault: Fault) -> None:
    send(ground.family(fault.target)[1:][_one_of(fault, ground)], signal.SIGKILL)


def _one_of(fault: Fault, ground: Ground) -> slice:
    children = len(ground.family(fault.target)) - 1
    place = fault.pick % children if children > 0 else 0
    return slice(place, place + 1)


def _kill(ground: Ground, fault: Fault) -> None:
    send(ground.family(fault.target)[:1], signal.SIGKILL)


def _restart(ground: Ground, fault: Fault) -> None:
    ground.ask_to_stop(fault.target)


def _freeze(ground: Ground, fault: Fault) -> Ending:
    return _stop(ground.family(fault.target))


def _freeze_child(ground: Ground, fault: Fault) -> Ending:
    return _stop(ground.family(fault.target)[1:][_one_of(fault, ground)])


def _freeze_server(ground: Ground, fault: Fault) -> Ending | None:
    pid = ground.servers[fault.target].pid
    return None if pid is None else _stop([birth for each in (pid, *children_of(pid)) if (birth := Birth.of(each))])


def _stop(births: list[Birth]) -> Ending:
    send(births, signal.SIGSTOP)
    return partial(send, births, signal.SIGCONT)


def _wipe(ground: Ground, _fault: Fault) -> None:
    with (
        suppress(redis.RedisError),
        redis.Redis.from_url(
            ground.servers["redis"].url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
        ) as client,
    ):
        client.flushall()


def _stop_server(ground: Ground, fault: Fault) -> Ending:
    server = ground.servers[fault.target]
    server.kill()
    return server.start


def _lose(ground: Ground, fault: Fault) -> Ending:
    ending = _stop_server(ground, fault)
    ground.lose_redis()
    return ending


def _fill_disk(ground: Ground, _fault: Fault) -> Ending:
    ground.disk.fill()
    return ground.disk.free


def _deploy(ground: Ground, _fault: Fault) -> None:
    ground.deploy()


INJECTORS: Final[dict[str, Callable[[Ground, Fault], Ending | None]]] = {
    "kill child": _kill_child,
    "kill": _kill,
    "restart": _restart,
    "freeze": _freeze,
    "freeze child": _freeze_child,
    "freeze server": _freeze_server,
    "wipe": _wipe,
    "stop redis": _stop_server,
    "stop postgres": _stop_server,
    "lose": _lose,
    "fill disk": _fill_disk,
    "deploy": _deploy,
}
