"""Choosing the sandbox by trying it: what is installed and permitted says little about what works."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from app.kernel.errors import HeadraceError
from tasks.pipelines.gateways.sandbox.base import Limits, Sandbox, SandboxUnavailable, StepCommand
from tasks.pipelines.gateways.sandbox.bubblewrap import BubblewrapSandbox
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroups, find_control_groups
from tasks.pipelines.gateways.sandbox.plain import PlainSandbox
from tasks.pipelines.gateways.sandbox.scratch import remove_abandoned_scratch

Preference = Literal["auto", "bubblewrap", "plain"]

_PROBE_SECONDS = 10.0
_CONTROLLER_LIMITS = {"memory": "memory", "pids": "processes", "cpu": "cpus"}


def choose_sandbox(
    preferred: Preference = "auto",
    *,
    extra_read_only: Sequence[Path] = (),
    scratch: Path | None = None,
    step_uid: int | None = None,
) -> Sandbox:
    """The sandbox to use on this machine; tried once a process and then remembered.

    "auto" takes bubblewrap where it works, else plain processes; the reason stands in the `facts` of the answer.
    Raises SandboxUnavailable when bubblewrap is asked for by name and does not work.
    """
    return _choose(preferred, tuple(extra_read_only), scratch, step_uid)


@lru_cache
def _choose(preferred: Preference, extra: tuple[Path, ...], scratch: Path | None, step_uid: int | None) -> Sandbox:
    groups = find_control_groups()
    remove_abandoned_scratch(scratch)
    limits = _describe_limits(groups)
    why = "asked for"
    if preferred != "plain":
        try:
            bubblewrap = BubblewrapSandbox(groups, extra_read_only=extra, scratch=scratch, step_uid=step_uid)
            _try_out(bubblewrap)
            bubblewrap.facts = {**bubblewrap.facts, **limits, "why": "works here"}
            return bubblewrap
        except HeadraceError as error:
            if preferred == "bubblewrap":
                raise SandboxUnavailable(f"Steps cannot run in bubblewrap here: {error.message}") from error
            why = f"bubblewrap does not work here: {error.message}"
    plain = PlainSandbox(groups, scratch=scratch, step_uid=step_uid)
    plain.facts = {**plain.facts, **limits, "why": why}
    return plain


def _try_out(sandbox: Sandbox) -> None:
    """Run a step for real, or raise SandboxUnavailable with what it said."""
    said = bytearray()
    with tempfile.TemporaryDirectory(prefix="headrace-probe-") as directory:
        command = StepCommand("echo works", Path(directory), ".", {}, Limits(_PROBE_SECONDS), network=False)
        try:
            outcome = sandbox.run(command, lambda _, data: said.extend(data), lambda: False)
        except HeadraceError as error:
            raise SandboxUnavailable(said.decode(errors="replace").strip() or error.message) from error
    if outcome.exit_code != 0 or bytes(said) != b"works\n":
        raise SandboxUnavailable(said.decode(errors="replace").strip() or f"A first step {outcome.ended}.")


def _describe_limits(groups: ControlGroups | None) -> Mapping[str, str]:
    """What holds each limit."""
    fallback = {
        "memory": "watched, and a resource limit for each process",
        "processes": "not held: a resource limit does not bind root"
        if os.geteuid() == 0
        else "resource limit of the user",
        "cpus": "pinned to as many processors",
    }
    held = {_CONTROLLER_LIMITS[name]: f"cgroup v{groups.version}" for name in groups.parents} if groups else {}
    limits = {**fallback, **held, "disk": "watched, and a resource limit for each file"}
    return {f"limit_{name}": how for name, how in limits.items()}
