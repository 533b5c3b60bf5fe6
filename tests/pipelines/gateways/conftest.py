"""Every test of the sandbox contract runs on each kind of sandbox; and the engine of the tests, by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers import benches, pods
from tests.support.containers.benches import Engines, let_others_pass
from tests.support.containers.docker_api import DockerApi, serving
from tests.support.containers.image import IMAGE
from tests.support.containers.pods import Ground, PodSandboxOfEach, pods_running
from tests.support.kubernetes import ApiServer
from tests.support.sandboxes import Bench, choose_sandbox, kinds, make_sandbox


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """Container engines, each started when it is first needed."""
    with benches.all_engines() as found:
        yield found


# Docker speaks what podman speaks: `pytest -m slow` tries it too.
SLOW = [pytest.param(kind, marks=pytest.mark.slow) if kind == "docker" else kind for kind in benches.kinds()]


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[ApiServer]:
    """An API server whose pods run."""
    if choose_sandbox("auto").name != "bubblewrap":
        pytest.skip("the pods of the tests need bubblewrap")
    with pods_running() as server:
        yield server


@pytest.fixture(params=[*kinds(), *SLOW, pods.KIND])
def bench(request: pytest.FixtureRequest, tmp_path: Path, engines: Engines) -> Iterator[Bench]:
    """A sandbox of each kind, with an empty workspace."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    if request.param == pods.KIND:
        ground = Ground(request.getfixturevalue("kubernetes"), workspace)
        yield Bench(PodSandboxOfEach(ground), workspace, image=IMAGE, fake=True, afar=True)
        ground.close()
        return
    if request.param not in benches.kinds():
        yield Bench(make_sandbox(request.param), workspace)
        return
    with benches.opened(engines.address(request.param), workspace) as sandbox:
        yield Bench(sandbox, workspace, image=IMAGE, fake=request.param == benches.FAKE)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[DockerApi]:
    """An engine that has the image of the tests."""
    folder = tmp_path / "engine"
    folder.mkdir()
    let_others_pass(tmp_path)
    with serving(folder, images={IMAGE}) as found:
        yield found


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty one."""
    place = tmp_path / "workspace"
    place.mkdir()
    return place
