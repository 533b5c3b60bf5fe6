"""Clusters in containers on this machine, by k3d or kind: programs that are there, or not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.clusters import LOCAL_PROGRAMS, AccessRules, KubeconfigInvalid, read_kubeconfig
from app.kernel.clock import utc_now
from tasks.clusters.gateways.providers.base import Order, ProviderAway, ProviderFailed, Ready, Working
from tasks.gateways.lookup import Keep

_SECONDS: Final = 300.0
_MOST_OUTPUT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Program:
    """How a program is told what to do."""

    path: str
    listed: tuple[str, ...]
    make: tuple[str, ...]
    show: tuple[str, ...]
    remove: tuple[str, ...]


def _describe_k3d(path: str, key: str, nodes: int) -> _Program:
    return _Program(
        path,
        listed=("cluster", "list", "--no-headers"),
        make=("cluster", "create", key, "--agents", str(nodes - 1), "--wait", "--kubeconfig-update-default=false"),
        show=("kubeconfig", "get", key),
        remove=("cluster", "delete", key),
    )


def _describe_kind(path: str, key: str, _: int) -> _Program:
    """How many nodes there are, kind reads from a file alone: it gets one."""
    return _Program(
        path,
        listed=("get", "clusters"),
        make=("create", "cluster", "--name", key, "--wait", "120s", "--kubeconfig", os.devnull),
        show=("get", "kubeconfig", "--name", key),
        remove=("delete", "cluster", "--name", key),
    )


_PROGRAMS: Final[Mapping[str, Callable[[str, str, int], _Program]]] = dict(
    zip(LOCAL_PROGRAMS, (_describe_k3d, _describe_kind), strict=True)
)


class LocalProvider:
    """`keep` is called while a program runs; what it raises ends the program."""

    def __init__(self, rules: AccessRules, keep: Keep, path: str | None = None) -> None:
        self._rules = rules
        self._keep = keep
        self._path = path

    def ensure(self, order: Order) -> Working | Ready:
        program = self._program(order)
        if order.key not in self._run(program, program.listed).split():
            self._run(program, program.make)
        try:
            return Ready(read_kubeconfig(self._run(program, program.show), self._rules, now=utc_now()))
        except KubeconfigInvalid as error:
            first = error.errors[0]
            raise ProviderFailed(f"Its kubeconfig cannot be used: {first.field} {first.message}") from None

    def remove(self, order: Order) -> Working | None:
        program = self._program(order)
        if order.key in self._run(program, program.listed).split():
            self._run(program, program.remove)
        return None

    def _program(self, order: Order) -> _Program:
        for name, describe in _PROGRAMS.items():
            found = shutil.which(name, path=self._path)
            if found:
                return describe(found, order.key, max(int(order.parameters.get("nodes") or 1), 1))
        raise ProviderAway(f"None of these programs is on this worker's PATH: {', '.join(LOCAL_PROGRAMS)}.")

    def _run(self, program: _Program, words: Sequence[str]) -> str:
        """Run a program to its end and return what it wrote; raises ProviderFailed with the end of what it said."""
        started = subprocess.Popen(
            [program.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        ends = time.monotonic() + _SECONDS
        while True:
            try:
                self._keep()
                out, err = started.communicate(timeout=0.25)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() > ends:
                    _kill(started)
                    raise ProviderFailed(f"{words[0]} {words[1]} did not end within {_SECONDS:.0f} s.") from None
            except BaseException:
                _kill(started)
                raise
        if started.returncode:
            said = "".join(one if one.isprintable() else " " for one in err[-300:])
            raise ProviderFailed(f"The program failed ({started.returncode}): {said}")
        return out[:_MOST_OUTPUT]


def _kill(started: subprocess.Popen[str]) -> None:
    os.killpg(started.pid, signal.SIGKILL)
    started.communicate()
