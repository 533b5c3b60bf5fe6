"""What only clusters of this machine do."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from app.clusters import AccessRules
from app.kernel.ids import new_id
from tasks.clusters.gateways.providers import LocalProvider, Order, ProviderAway, ProviderFailed
from tests.clusters.providers.worlds import RULES, local_world


def program(folder: Path, body: str) -> None:
    path = folder / "k3d"
    path.write_text(f"#!{sys.executable}\nimport os, pathlib, sys, time\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def order() -> Order:
    return Order(new_id(), "hr-1", {})


def test_without_a_program_it_is_away(tmp_path: Path) -> None:
    with pytest.raises(ProviderAway, match="k3d, kind"):
        LocalProvider(RULES, lambda: None, path=str(tmp_path)).ensure(order())


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    program(tmp_path, "sys.exit('no containers here')")
    with pytest.raises(ProviderFailed, match="no containers here"):
        LocalProvider(RULES, lambda: None, path=str(tmp_path)).ensure(order())


def test_a_cancel_ends_the_program(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    program(tmp_path, f"pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(60)")

    def keep() -> None:
        if mark.exists() and mark.read_text():
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        LocalProvider(RULES, keep, path=str(tmp_path)).ensure(order())
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


def test_its_address_must_be_allowed(tmp_path: Path) -> None:
    with local_world(tmp_path) as world:
        strict = LocalProvider(AccessRules(), lambda: None, path=str(tmp_path))
        with pytest.raises(ProviderFailed, match="on this machine"):
            strict.ensure(world.order())
