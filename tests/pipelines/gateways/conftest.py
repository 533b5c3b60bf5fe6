"""Every test of the sandbox contract runs on each kind of sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.sandboxes import Bench, kinds, make_sandbox


@pytest.fixture(params=kinds())
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """A sandbox of each kind, with an empty workspace."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    return Bench(make_sandbox(request.param), workspace)
