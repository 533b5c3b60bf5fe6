"""Pods of images that have busybox and nothing else, for their steps as for what carries the workspace."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers.image import IMAGE, make_small_root
from tests.support.containers.pods import Ground, PodSandboxOfEach, pods_running
from tests.support.kubernetes import ApiServer
from tests.support.sandboxes import Bench, choose_sandbox

MEBIBYTE = 1 << 20
pytestmark = pytest.mark.skipif(
    not shutil.which("busybox") or choose_sandbox("auto").name != "bubblewrap",
    reason="it takes busybox and bubblewrap",
)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """An API server whose pods have busybox alone."""
    with pods_running(make_root=make_small_root, path="/bin") as server:
        yield server


@pytest.fixture
def bench(server: ApiServer, tmp_path: Path) -> Iterator[Bench]:
    """A sandbox in such pods."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    ground = Ground(server, workspace)
    yield Bench(PodSandboxOfEach(ground), workspace, image=IMAGE, fake=True, afar=True)
    ground.close()


def test_a_step_gets_its_environment_and_the_workspace_and_gives_it_back(bench: Bench) -> None:
    deep = bench.workspace / ("d" * 60) / ("e" * 60) / ("f" * 60)
    deep.mkdir(parents=True)
    (deep / "given").write_text("here\n")
    script = (
        'printf "%s" "$A"; cat d*/e*/f*/given; echo wrong >&2; rm -r d*; echo x > made; ln made hard; ln -s made soft'
    )
    ran = bench.run(f"! command -v bash\n{script}", environment={"A": 'it\'s $x\n"y" ü'})
    assert ran.stdout.decode() == 'it\'s $x\n"y" ühere\n'
    assert ran.stderr == b"wrong\n"
    assert sorted(path.name for path in bench.workspace.iterdir()) == ["hard", "made", "soft"]
    assert (bench.workspace / "hard").samefile(bench.workspace / "made")


@pytest.mark.parametrize(
    ("script", "limits", "ended", "exit_code"),
    [
        ("exit 7", {}, "exited", 7),
        ("false\necho no", {}, "exited", 1),
        ("kill -SEGV $$", {}, "signalled", 139),
        ("head -c 5000000 /dev/zero > big", {"file_bytes": MEBIBYTE}, "disk_full", 153),
        (
            "while :; do head -c 2000000 /dev/zero >> big; sleep 0.02; done",
            {"disk_bytes": 20 * MEBIBYTE},
            "disk_full",
            137,
        ),
        (
            "awk 'BEGIN { x = \"a\"; while (1) x = x x }' || sleep 9",
            {"memory_bytes": 64 * MEBIBYTE},
            "out_of_memory",
            137,
        ),
        ("trap '' TERM; sleep 60; sleep 60", {"seconds": 2}, "timed_out", 137),
    ],
)
def test_ends_are_told_as_everywhere(
    bench: Bench, script: str, limits: dict[str, float], ended: str, exit_code: int
) -> None:
    ran = bench.run(script, **limits)
    assert (ran.outcome.ended, ran.outcome.exit_code) == (ended, exit_code)
