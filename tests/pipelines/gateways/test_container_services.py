"""Services beside the steps of a stage: when they are ready, who reaches them, and that they end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tasks.pipelines.gateways.containers import ServiceFailed
from tasks.pipelines.gateways.containers.listening import listens
from tests.support.containers.benches import make_containers, needs_of, service_of
from tests.support.containers.docker_api import DockerApi
from tests.support.containers.stages import Stage, needs_bubblewrap

pytestmark = needs_bubblewrap


def test_services_run_beside_the_steps_and_are_gone_afterwards(api: DockerApi, workspace: Path) -> None:
    service = service_of("db", "/bin/sh", "-c", "sleep 0.3; touch /tmp/up; sleep 60", ready="test -e /tmp/up")
    stage = Stage(api, workspace)
    assert stage.run("true", service).exit_code == 0
    started, step = api.made
    assert step["HostConfig"]["ExtraHosts"] == ["db:10.0.0.2"]
    assert step["HostConfig"]["NetworkMode"] == started["HostConfig"]["NetworkMode"] != "none"
    assert "ReadonlyRootfs" not in started["HostConfig"]
    assert any(line.startswith("The service db was ready after") for line in stage.said)
    assert not api.containers
    assert not api.networks


def test_the_network_of_services_leads_nowhere_and_only_a_step_with_a_network_is_on_another(
    api: DockerApi, workspace: Path
) -> None:
    made: list[dict[str, Any]] = []
    connect = api.networks.__class__

    class Remembering(connect):  # type: ignore[misc, valid-type]
        def __setitem__(self, name: str, body: dict[str, Any]) -> None:
            made.append(body)
            super().__setitem__(name, body)

    api.networks = Remembering()
    Stage(api, workspace).run("true", service_of("db", "/usr/bin/sleep", "60"))
    assert [body.get("Internal", False) for body in made] == [True]
    Stage(api, workspace).run("true", service_of("db", "/usr/bin/sleep", "60"), network=True)
    assert [body.get("Internal", False) for body in made] == [True, True, False]


def test_the_host_is_not_on_the_network_of_services(api: DockerApi, workspace: Path) -> None:
    api.failing["DELETE /networks"] = (500, "busy")
    Stage(api, workspace).run("true", service_of("db", "/usr/bin/sleep", "60"))
    (network,) = api.networks.values()
    assert network["Options"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
    assert all(body["HostConfig"]["Sysctls"]["net.ipv6.conf.all.disable_ipv6"] == "1" for body in api.made)


def test_a_service_that_ends_fails_with_its_last_words(api: DockerApi, workspace: Path) -> None:
    stage = Stage(api, workspace)
    service = service_of("db", "/bin/sh", "-c", "echo no password given; exit 3", ready="false")
    with pytest.raises(ServiceFailed, match="The service db ended with exit code 3"):
        stage.run("true", service)
    assert "db: no password given" in stage.said
    assert not api.containers


def test_a_service_that_is_never_ready_fails_in_its_time(api: DockerApi, workspace: Path) -> None:
    service = service_of("db", "/usr/bin/sleep", "60", ready="false", seconds=0.5)
    with pytest.raises(ServiceFailed, match=r"was not ready after"):
        Stage(api, workspace).run("true", service)
    assert not api.containers
    assert not api.networks


def test_a_look_whether_it_is_ready_ends_in_its_time(api: DockerApi, workspace: Path) -> None:
    service = service_of("db", "/bin/sh", "-c", "echo begun; sleep 60", ready="sleep 8", seconds=1.0)
    stage, began = Stage(api, workspace), time.monotonic()
    with pytest.raises(ServiceFailed, match="was not ready after 1 s"):
        stage.run("true", service)
    assert time.monotonic() - began < 6
    assert "db: begun" in stage.said


def test_a_look_whether_it_is_ready_does_not_hold_a_cancel_up(api: DockerApi, workspace: Path) -> None:
    service, began = service_of("db", "/usr/bin/sleep", "60", ready="sleep 8"), time.monotonic()

    def check() -> None:
        if time.monotonic() > began + 1:
            raise TimeoutError

    stage = make_containers(api.address, workspace).open_stage(needs_of(workspace, service), check, lambda _: None)
    with pytest.raises(TimeoutError), stage:
        pass
    assert time.monotonic() - began < 6
    assert not api.containers


def test_what_a_program_says_at_length_when_asked_whether_it_is_ready_is_left(api: DockerApi, workspace: Path) -> None:
    service = service_of("db", "/usr/bin/sleep", "60", ready="head -c 1000000 /dev/zero")
    assert Stage(api, workspace).run("true", service).exit_code == 0


def test_a_service_that_cannot_start_says_why(api: DockerApi, workspace: Path) -> None:
    with pytest.raises(ServiceFailed, match="could not be started"):
        Stage(api, workspace).run("true", service_of("db", "/missing"))


def test_a_port_counts_when_others_can_reach_it() -> None:
    table = "  sl  local_address rem_address   st\n   0: {}:1F90 00000000:0000 0A 00000000:00000000"
    assert listens(table.format("00000000"), 8080)
    assert not listens(table.format("0100007F"), 8080)
    assert not listens(table.format("00000000"), 80)
    assert listens(table.format("00000000000000000000000000000000"), 8080)
