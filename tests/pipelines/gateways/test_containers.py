"""Containers of a Docker or podman engine: what is asked of it, images, and what is left behind."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.pipelines.gateways.containers import (
    ContainersUnavailable,
    ImageRefused,
    ImageRules,
    ImageUnavailable,
)
from tasks.pipelines.gateways.sandbox import Limits, StepCommand, StepOutcome
from tests.support.containers.benches import make_containers, needs_of, service_of
from tests.support.containers.docker_api import DockerApi
from tests.support.containers.image import IMAGE
from tests.support.containers.stages import Stage, needs_bubblewrap

pytestmark = needs_bubblewrap


def test_a_step_runs_in_its_image_and_nothing_is_left(api: DockerApi, workspace: Path) -> None:
    stage = Stage(api, workspace)
    assert stage.run("echo hello > made").exit_code == 0
    assert (workspace / "made").read_text() == "hello\n"
    assert not api.containers
    assert not api.networks


def test_a_container_gets_as_little_as_will_do(api: DockerApi, workspace: Path) -> None:
    Stage(api, workspace).run()
    (body,) = api.made
    host = body["HostConfig"]
    assert body["User"] not in ("", "0", "0:0", "root")
    assert (host["Privileged"], host["CapDrop"], host["SecurityOpt"]) == (False, ["ALL"], ["no-new-privileges"])
    assert (host["ReadonlyRootfs"], host["NetworkMode"]) == (True, "none")
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (64 << 20, 64 << 20, 500_000_000)
    assert 20 <= host["PidsLimit"] <= 30
    writable = {mount["Target"] for mount in host["Mounts"] if not mount["ReadOnly"]}
    assert writable == {"/workspace", "/home/step", "/tmp", "/var/tmp", "/headrace"}


def test_secrets_are_in_the_environment_alone(api: DockerApi, workspace: Path) -> None:
    Stage(api, workspace).run("exit 3")
    (body,) = api.made
    assert "TOKEN=s3cret" in body.pop("Env")
    assert "s3cret" not in str(body)


def test_everything_made_says_whose_it_is(api: DockerApi, workspace: Path) -> None:
    Stage(api, workspace).run("true", service_of("db", "/usr/bin/sleep", "60"))
    for body in api.made:
        assert body["Labels"]["headrace.job"]
        assert body["Labels"]["headrace.execution"] == "execution"
    assert len(api.made) == 2


def test_an_image_that_is_missing_is_fetched_and_the_log_says_so(api: DockerApi, workspace: Path) -> None:
    api.images.clear()
    api.registry[IMAGE] = None
    stage = Stage(api, workspace, ImageRules(pull="if-missing"))
    assert stage.run().exit_code == 0
    assert ("system", f"Fetching the image {IMAGE}.\n".encode()) in stage.heard


def test_an_image_that_is_there_is_fetched_where_it_always_is(api: DockerApi, workspace: Path) -> None:
    api.registry[IMAGE] = None
    Stage(api, workspace, ImageRules(pull="always")).run()
    Stage(api, workspace, ImageRules(pull="if-missing")).run()
    assert [path for _, path in api.asked].count("/images/create") == 1


def test_an_image_that_cannot_be_had_says_why(api: DockerApi, workspace: Path) -> None:
    with pytest.raises(ImageUnavailable, match="pull access denied for nothing"):
        Stage(api, workspace, ImageRules()).run(image="nothing")
    with pytest.raises(ImageUnavailable, match="fetches none"):
        Stage(api, workspace, ImageRules(pull="never")).run(image="nothing")


@pytest.mark.parametrize("image", ["ubuntu:24.04", "evil/python:3", "x python:3", "python:3/../x", "-v", "Python:3"])
def test_an_image_that_is_not_allowed_is_refused_before_the_engine_is_asked(
    api: DockerApi, workspace: Path, image: str
) -> None:
    with pytest.raises(ImageRefused):
        Stage(api, workspace, ImageRules(["python:*"])).run(image=image)
    assert "/images/create" not in [path for _, path in api.asked]


def test_an_image_without_a_tag_is_the_latest() -> None:
    rules = ImageRules(["python:latest", "host.example:5000/*"])
    assert rules.admit("python") == "python:latest"
    assert rules.admit("host.example:5000/team/tool:1") == "host.example:5000/team/tool:1"


@pytest.mark.parametrize(
    ("glob", "image"),
    [("python:*", "python:5000/miner"), ("python*", "python.example/miner"), ("team/*", "team.example/miner")],
)
def test_a_glob_allows_no_host_that_it_does_not_name(glob: str, image: str) -> None:
    with pytest.raises(ImageRefused):
        ImageRules([glob]).admit(image)
    assert ImageRules([glob]).admit(glob.replace("*", "x"))


def test_a_slow_fetch_is_stopped_by_a_cancel_and_by_the_clock(api: DockerApi, workspace: Path) -> None:
    api.registry["slow:latest"], api.pull_seconds = None, 20
    asked = time.monotonic()
    cancelled = Stage(api, workspace, ImageRules()).run(
        image="slow", should_stop=lambda: time.monotonic() > asked + 0.5
    )
    assert cancelled.ended == "cancelled"
    late = Stage(api, workspace, ImageRules()).run(image="slow", seconds=0.5)
    assert late.ended == "timed_out"
    assert time.monotonic() - asked < 10


def test_an_engine_that_hangs_does_not_hold_a_cancel_up(api: DockerApi, workspace: Path) -> None:
    api.slow["/start"] = 5
    asked = time.monotonic()
    outcome = Stage(api, workspace).run(should_stop=lambda: time.monotonic() > asked + 0.3)
    assert outcome.ended == "cancelled"
    assert time.monotonic() - asked < 4


def test_an_engine_that_is_away_is_tried_again_later(workspace: Path) -> None:
    with pytest.raises(ContainersUnavailable):
        make_containers(f"unix://{workspace}/none.sock", workspace).find_left()


def test_what_an_engine_refuses_is_told(api: DockerApi, workspace: Path) -> None:
    api.failing["POST /containers/create"] = (500, "no space left on device")
    with pytest.raises(Exception, match="no space left on device"):
        Stage(api, workspace).run()


def test_volumes_of_an_image_are_folders_of_the_step(api: DockerApi, workspace: Path) -> None:
    api.volumes = ("/data", "/data/", "/tmp", "/home", "/workspace")
    assert Stage(api, workspace).run("echo x > /data/x; echo x > ~/x; echo x > x").exit_code == 0
    (body,) = api.made
    mounts = {mount["Target"]: Path(mount["Source"]) for mount in body["HostConfig"]["Mounts"]}
    assert len(mounts) == len(body["HostConfig"]["Mounts"])
    assert mounts["/data"].parent == mounts["/home"].parent == mounts["/tmp"].parent
    assert mounts["/workspace"] == workspace
    assert not mounts["/data"].exists()


def test_an_image_that_wants_volumes_without_end_is_refused(api: DockerApi, workspace: Path) -> None:
    api.volumes = tuple(f"/data/{number}" for number in range(100))
    with pytest.raises(ImageRefused, match="100 volumes"):
        Stage(api, workspace).run()


@pytest.mark.parametrize(
    "trick",
    [
        "mkfifo /headrace/usage",
        "ln -s /etc/passwd /headrace/usage",
        "mkdir /headrace/usage",
        "rm -rf /headrace/*",
        "echo 99 -1 x > /headrace/usage; chmod 400 /headrace/usage",
        "rm /headrace/status; mkfifo /headrace/status",
    ],
)
def test_a_step_that_tampers_with_what_is_told_of_it_harms_only_itself(
    api: DockerApi, workspace: Path, trick: str
) -> None:
    began = time.monotonic()
    outcome = Stage(api, workspace).run(f"{trick}; echo done", seconds=3, grace_seconds=0.2)
    assert outcome.ended in ("exited", "timed_out", "signalled")
    assert (outcome.peak_memory_bytes or 0) >= 0
    assert time.monotonic() - began < 12


def test_steps_at_once_share_what_is_opened(api: DockerApi, workspace: Path) -> None:
    api.images.clear()
    api.registry[IMAGE], api.pull_seconds = None, 0.3
    containers = make_containers(api.address, workspace, ImageRules())
    outcomes: list[StepOutcome] = []
    command = StepCommand("sleep 0.1", workspace, ".", {}, Limits(20), False, image=IMAGE)
    with containers.open_stage(needs_of(workspace), lambda: None, lambda _: None) as box:
        act = lambda: outcomes.append(box.run(command, lambda *_: None, lambda: False))  # noqa: E731
        threads = [threading.Thread(target=act) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [outcome.exit_code for outcome in outcomes] == [0, 0, 0]
    assert [path for _, path in api.asked].count("/images/create") == 1


def test_what_is_left_is_found_by_its_labels_and_removed(api: DockerApi, workspace: Path) -> None:
    containers = make_containers(api.address, workspace)
    api.failing["DELETE"] = (500, "busy")
    Stage(api, workspace).run("true", service_of("db", "/usr/bin/sleep", "60"))
    left = list(containers.find_left())
    assert sorted(one.kind for one in left) == ["containers", "containers", "networks"]
    assert {one.attempt for one in left} == {1}
    api.failing.clear()
    for one in (*left, left[0]):
        containers.remove(one)
    assert not api.containers
    assert not api.networks


def test_the_engine_sees_the_workspace_where_it_is_for_it(api: DockerApi, tmp_path: Path) -> None:
    real = tmp_path / "seen"
    (real / "stage").mkdir(parents=True)
    (tmp_path / "work").symlink_to(real)
    containers = make_containers(api.address, real)
    place = replace(containers._find(), seen_workspaces=Path("/elsewhere"))
    assert place.seen(real / "stage") == "/elsewhere/stage"
    assert place.seen(Path("/tmp/other")) == "/tmp/other"
