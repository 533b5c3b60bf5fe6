"""Stages in pods: what is asked of the cluster, what is waited for, services, and what is left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from tasks.clusters.gateways.kubernetes import kinds
from tasks.pipelines.gateways.containers import (
    ContainerRefused,
    ImageRefused,
    ImageRules,
    ImageUnavailable,
    ServiceFailed,
    Shape,
)
from tasks.pipelines.gateways.containers.kubernetes.opening import PodNotStarted
from tasks.pipelines.gateways.sandbox import Limits, SandboxUnavailable, StepCommand, StepOutcome
from tests.support.containers.benches import service_of
from tests.support.containers.image import IMAGE
from tests.support.containers.pods import RULES, Ground
from tests.support.kubernetes import ApiServer
from tests.support.sandboxes import Marker


@pytest.fixture
def ground(kubernetes: ApiServer, tmp_path: Path) -> Iterator[Ground]:
    """A namespace, and an empty workspace."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    made = Ground(kubernetes, workspace)
    yield made
    made.close()


def command(ground: Ground, script: str = "true", **fields: Any) -> StepCommand:
    """A step without limits."""
    given: dict[str, Any] = {"image": IMAGE, "environment": {}, "network": False, **fields}
    return StepCommand(script, ground.workspace, ".", limits=given.pop("limits", Limits(20)), **given)


def run(ground: Ground, script: str = "true", *services: Any, **fields: Any) -> StepOutcome:
    """Open a stage, run a step of it and close it."""
    needs = ground.needs(*services, **fields)
    with ground.containers.open_stage(needs, lambda: None, ground.said.append) as sandbox:
        return sandbox.run(command(ground, script, network=needs.network), lambda *_: None, lambda: False)


def spec_of(ground: Ground) -> dict[str, Any]:
    """What the newest pod was made of."""
    assert ground.server.kubelet is not None
    spec: dict[str, Any] = ground.server.kubelet.specs[-1]["spec"]
    return spec


def container(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A container of a pod."""
    found: dict[str, Any] = next(one for one in spec["containers"] if one["name"] == name)
    return found


def test_steps_share_the_workspace_which_comes_back_at_the_end(ground: Ground) -> None:
    (ground.workspace / "given").write_text("here\n")
    said: list[bytes] = []
    with ground.containers.open_stage(ground.needs(), lambda: None, ground.said.append) as sandbox:
        sandbox.run(command(ground, "cp given made; rm given; ln made other; ln -s made link"), lambda *_: None, bool)
        sandbox.run(command(ground, "cat made other"), lambda _, data: said.append(data), bool)
        assert (ground.workspace / "given").exists()
    assert b"".join(said) == b"here\nhere\n"
    assert sorted(path.name for path in ground.workspace.iterdir()) == ["link", "made", "other"]
    assert (ground.workspace / "made").samefile(ground.workspace / "other")


def test_steps_without_an_image_may_come_between(ground: Ground) -> None:
    with ground.containers.open_stage(ground.needs(), lambda: None, ground.said.append) as sandbox:
        sandbox.run(command(ground, "echo there > file"), lambda *_: None, bool)
        sandbox.bring_back()
        assert (ground.workspace / "file").read_text() == "there\n"
        (ground.workspace / "file").write_text("here\n")
        sandbox.send_again()
        sandbox.run(command(ground, "cat file > copy"), lambda *_: None, bool)
    assert (ground.workspace / "copy").read_text() == "here\n"


def test_a_pod_gets_as_little_as_will_do(ground: Ground) -> None:
    run(ground)
    spec = spec_of(ground)
    step = container("step-0", spec)["securityContext"]
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert (step["runAsNonRoot"], step["runAsUser"], step["privileged"]) == (True, 1000, False)
    assert (step["allowPrivilegeEscalation"], step["readOnlyRootFilesystem"]) == (False, True)
    assert (step["capabilities"], step["seccompProfile"]) == ({"drop": ["ALL"]}, {"type": "RuntimeDefault"})
    assert 60 < spec["activeDeadlineSeconds"] < 300
    assert all("hostPath" not in volume for volume in spec["volumes"])
    assert "hostNetwork" not in spec


def test_limits_are_the_containers_and_little_is_requested(ground: Ground) -> None:
    shape = Shape(IMAGE, 0.5, 256 << 20)
    with ground.containers.open_stage(ground.needs(shapes=(shape,)), lambda: None, ground.said.append):
        resources = container("step-0", spec_of(ground))["resources"]
    assert resources["limits"] == {"cpu": "500m", "memory": str(256 << 20)}
    assert resources["requests"] == {"cpu": "100m", "memory": str(128 << 20)}


def test_steps_in_order_share_a_container_and_steps_at_once_have_their_own(ground: Ground) -> None:
    shapes = (Shape(IMAGE), Shape(IMAGE), Shape(IMAGE, 2.0))
    names: dict[bool, list[str]] = {}
    for at_once in (False, True):
        needs = ground.needs(shapes=shapes, at_once=at_once)
        with ground.containers.open_stage(needs, lambda: None, ground.said.append):
            names[at_once] = [one["name"] for one in spec_of(ground)["containers"]]
    assert names == {False: ["workspace", "step-0", "step-1"], True: ["workspace", "step-0", "step-1", "step-2"]}


def test_steps_at_once_run_at_once(ground: Ground) -> None:
    outcomes: list[StepOutcome] = []
    needs = ground.needs(shapes=(Shape(IMAGE),) * 2, at_once=True)
    with ground.containers.open_stage(needs, lambda: None, ground.said.append) as sandbox:
        meet = ["touch a; while [ ! -e b ]; do sleep 0.05; done", "touch b; while [ ! -e a ]; do sleep 0.05; done"]
        act = [lambda script=one: outcomes.append(sandbox.run(command(ground, script), print, bool)) for one in meet]
        threads = [threading.Thread(target=one) for one in act]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [outcome.exit_code for outcome in outcomes] == [0, 0]


def test_secrets_are_in_no_field_of_the_pod(ground: Ground) -> None:
    said: list[bytes] = []
    with ground.containers.open_stage(ground.needs(), lambda: None, ground.said.append) as sandbox:
        step = command(ground, "echo $TOKEN; ls /headrace/control", environment={"TOKEN": "s3cret"})
        sandbox.run(step, lambda _, data: said.append(data), bool)
        (pod,) = ground.pod_list()
    assert b"".join(said) == b"s3cret\nenvironment\nscript\n"
    assert "s3cret" not in str(pod)
    assert not any("s3cret" in line for line in ground.server.seen)


def test_what_one_step_leaves_behind_the_next_does_not_find(ground: Ground) -> None:
    said, marker = list[bytes](), Marker()
    with ground.containers.open_stage(ground.needs(), lambda: None, ground.said.append) as sandbox:
        leave = f'echo x > "$HOME/a"; echo x > /tmp/.b; (setsid {marker.sleep} >/dev/null 2>&1 &); sleep 0.1'
        sandbox.run(command(ground, leave), lambda *_: None, bool)
        assert not marker.alive()
        sandbox.run(command(ground, 'ls -A "$HOME" /tmp'), lambda _, data: said.append(data), bool)
    assert b"".join(said) == b"/headrace/own/home:\n\n/tmp:\n"


def test_a_network_is_public_addresses_and_goes_with_the_pod(ground: Ground) -> None:
    with ground.containers.open_stage(ground.needs(network=True), lambda: None, ground.said.append):
        (policy,) = ground.cluster.list_page(kinds.NETWORK_POLICY, ground.namespace).items
        (pod,) = ground.pod_list()
    selected = policy["spec"]["podSelector"]["matchLabels"]
    assert selected.items() <= pod["metadata"]["labels"].items()
    blocks = {to["ipBlock"]["cidr"]: to["ipBlock"]["except"] for to in policy["spec"]["egress"][0]["to"]}
    assert {"10.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "100.64.0.0/10"} <= set(blocks["0.0.0.0/0"])
    for whole, private in blocks.items():
        # Go takes an address of version 4 in one of version 6 for one of version 4, which lies in no block of these.
        assert all(ip_network(one).subnet_of(ip_network(whole)) and "ffff" not in one for one in private)
    _until(lambda: not ground.cluster.list_page(kinds.NETWORK_POLICY, ground.namespace).items)


def test_a_step_that_is_to_have_no_network_does_not_run_beside_one_that_has(ground: Ground) -> None:
    step = command(ground, network=False)
    stage = ground.containers.open_stage(ground.needs(network=True), lambda: None, ground.said.append)
    with stage as sandbox, pytest.raises(SandboxUnavailable, match="share a network"):
        sandbox.run(step, lambda *_: None, bool)


def test_an_image_that_cannot_be_had_says_why(ground: Ground) -> None:
    with pytest.raises(ImageUnavailable, match="nothing:latest cannot be had"):
        run(ground, shapes=(Shape("nothing"),))
    _until(lambda: not ground.pod_list())


def test_an_image_that_is_not_allowed_is_refused(ground: Ground) -> None:
    ground.rules = ImageRules(["python:*"])
    with pytest.raises(ImageRefused):
        run(ground)


def test_a_node_that_cannot_be_found_is_waited_for_and_told(ground: Ground) -> None:
    ground.pods = replace(RULES, start_seconds=0.7, node_selector={"pool": "none"})
    with pytest.raises(PodNotStarted, match="did not start within 1 s: 0/1 nodes are available"):
        run(ground, node_selector={"pool": "mine"})
    assert any("Waiting for the stage's pod: 0/1 nodes are available" in line for line in ground.said)
    _until(lambda: not ground.pod_list())


def test_a_quota_that_is_used_up_is_waited_for_and_told(ground: Ground) -> None:
    hard = {"metadata": {"name": "q", "namespace": ground.namespace}, "spec": {"hard": {"pods": "0"}}}
    ground.cluster.create(kinds.RESOURCE_QUOTA, hard)
    ground.pods = replace(RULES, start_seconds=0.5)
    with pytest.raises(PodNotStarted, match="quota leaves no room"):
        run(ground)
    threading.Timer(0.5, lambda: ground.cluster.delete(kinds.RESOURCE_QUOTA, "q", ground.namespace)).start()
    ground.pods = RULES
    assert run(ground).exit_code == 0


def test_a_workspace_without_a_place_is_refused(ground: Ground) -> None:
    with pytest.raises(ContainerRefused, match="no place on a cluster"):
        run(ground, site=None)


def test_services_are_at_the_steps_own_machine(ground: Ground) -> None:
    service = service_of("db", "/bin/sh", "-c", "sleep 0.3; touch /tmp/up; sleep 60", ready="test -e /tmp/up")
    assert run(ground, "true", service).exit_code == 0
    spec = spec_of(ground)
    assert spec["hostAliases"] == [{"ip": "127.0.0.1", "hostnames": ["db"]}]
    assert container("service-db", spec)["securityContext"]["allowPrivilegeEscalation"] is False
    assert any(line.startswith("The service db was ready after") for line in ground.said)


def test_a_service_that_ends_fails_with_its_last_words(ground: Ground) -> None:
    service = service_of("db", "/bin/sh", "-c", "echo no password given; exit 3", ready="false")
    with pytest.raises(ServiceFailed, match="The service db ended with exit code 3"):
        run(ground, "true", service)
    assert "db: no password given" in ground.said
    _until(lambda: not ground.pod_list())


def test_a_service_that_is_never_ready_fails_in_its_time(ground: Ground) -> None:
    service = service_of("db", "/usr/bin/sleep", "60", ready="false", seconds=0.5)
    with pytest.raises(ServiceFailed, match="was not ready after"):
        run(ground, "true", service)


def test_whoever_waits_for_a_pod_can_be_called_off(ground: Ground) -> None:
    class CalledOff(Exception):
        pass

    ends = time.monotonic() + 0.5

    def check() -> None:
        if time.monotonic() > ends:
            raise CalledOff

    ground.pods = replace(RULES, node_selector={"pool": "none"})
    with pytest.raises(CalledOff), ground.containers.open_stage(ground.needs(), check, ground.said.append):
        pass
    _until(lambda: not ground.pod_list())


def test_what_is_left_is_found_by_its_labels_and_removed(ground: Ground) -> None:
    with ground.containers.open_stage(ground.needs(), lambda: None, ground.said.append):
        left = [
            one
            for one in ground.containers.find_left([replace(ground.site, namespace=None)])
            if one.site and one.site.namespace == ground.namespace
        ]
        assert [(one.kind, one.attempt) for one in left] == [("pods", 1)]
        ground.containers.remove(left[0])
        _until(lambda: not ground.pod_list())
        ground.containers.remove(left[0])


def test_a_cluster_that_does_not_answer_is_passed_over(ground: Ground) -> None:
    away = replace(ground.site, access=replace(ground.site.access, server="https://127.0.0.1:1"))
    assert list(ground.containers.find_left([away])) == []


def _until(is_so: Any, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)
