"""What only a real engine can show: networks that lead somewhere. Runs where podman or docker is installed."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.pipelines.gateways.containers import DockerContainers, StageNeeds
from tasks.pipelines.gateways.sandbox import Limits, Sandbox, StepCommand
from tests.support.containers import engines
from tests.support.containers.benches import Engines, make_containers, needs_of, service_of
from tests.support.containers.image import IMAGE, VOLUME
from tests.support.platform import wait_for
from tests.support.sandboxes import Marker

ASK = "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://web:8123/\", timeout=5).status)'"
WEB = service_of("web", "/usr/bin/python3", "-m", "http.server", "8123", port=8123)


@pytest.fixture(
    params=engines.kinds() or [pytest.param("", marks=pytest.mark.skip(reason="no engine is installed here"))]
)
def containers(request: pytest.FixtureRequest, engines: Engines, tmp_path: Path) -> DockerContainers:
    """Each engine that is installed."""
    return make_containers(engines.address(request.param), tmp_path)


def ran(box: Sandbox, needs: StageNeeds, script: str, *, network: bool = False) -> tuple[int | None, bytes]:
    said = bytearray()
    command = StepCommand(script, needs.workspace, ".", {}, Limits(30), network, image=IMAGE)
    outcome = box.run(command, lambda _, data: said.extend(data), lambda: False)
    return outcome.exit_code, bytes(said)


def left_of(containers: DockerContainers) -> list[str]:
    """Return the kinds of what is left; engines take away a moment later what has ended."""
    return sorted(one.kind for one in containers.find_left())


def test_a_service_is_reached_by_its_name_with_and_without_a_network(
    containers: DockerContainers, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    needs = needs_of(workspace, WEB)
    said: list[str] = []
    with containers.open_stage(needs, lambda: None, said.append) as box:
        assert ran(box, needs, ASK) == (0, b"200\n")
        assert ran(box, needs, ASK, network=True) == (0, b"200\n")
        wait_for(lambda: left_of(containers) == ["containers", "networks", "networks"])
    assert any("web was ready" in line for line in said)
    wait_for(lambda: not left_of(containers))


def test_stages_do_not_reach_each_others_services(containers: DockerContainers, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    mine, other = needs_of(workspace, WEB), needs_of(workspace)
    with (
        containers.open_stage(mine, lambda: None, lambda _: None) as box,
        containers.open_stage(other, lambda: None, lambda _: None) as stranger,
    ):
        address = ran(box, mine, "getent hosts web")[1].split()[0].decode()
        ask = ASK.replace("http://web", f"http://{address}").replace("timeout=5", "timeout=1")
        assert ran(box, mine, ask)[0] == 0
        assert ran(stranger, other, ask)[0] != 0
        if containers.facts["sandbox"].startswith("podman"):
            assert ran(stranger, other, ask, network=True)[0] != 0


def test_a_volume_of_the_image_counts_as_disk(containers: DockerContainers, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    limits = Limits(60, disk_bytes=1 << 20)
    script = f"head -c 4000000 /dev/zero > {VOLUME}/x; sleep 30"
    with containers.open_stage(needs_of(workspace), lambda: None, lambda _: None) as box:
        command = StepCommand(script, workspace, ".", {}, limits, False, image=IMAGE)
        assert box.run(command, lambda *_: None, lambda: False).ended == "disk_full"


def test_a_step_without_a_network_has_its_own_machine_alone(containers: DockerContainers, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    needs = needs_of(workspace)
    with containers.open_stage(needs, lambda: None, lambda _: None) as box:
        code, said = ran(box, needs, "grep -c : /proc/net/dev")
    assert (code, said) == (0, b"1\n")


REACHES = """python3 - <<'END'
import socket, time
time.sleep(2)  # an address of version 6 is not good at once
for address in {addresses}:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as asking:
        asking.settimeout(1)
        try:
            asking.connect(socket.getaddrinfo(address, {port})[0][4])
            print("reached", address)
        except OSError:
            pass
END"""


def test_a_step_without_a_network_does_not_reach_the_host(containers: DockerContainers, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    needs = needs_of(workspace, WEB)
    with (
        socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as host,
        containers.open_stage(needs, lambda: None, lambda _: None) as box,
    ):
        first = ran(box, needs, "getent hosts web")[1].split()[0].decode().rpartition(".")[0] + ".1"
        addresses = [first, *addresses_of_host()]
        script = REACHES.format(addresses=addresses, port=host.getsockname()[1])
        assert ran(box, needs, script) == (0, b"")


def addresses_of_host() -> list[str]:
    """Addresses of version 6 of this machine's networks, as seen by who is on one of them."""
    lines = [line.split() for line in Path("/proc/net/if_inet6").read_text().splitlines()]
    found = [str(ipaddress.IPv6Address(int(words[0], 16))) for words in lines if words[5] != "lo"]
    return [f"{address}%eth0" if address.startswith("fe80") else address for address in found]


CALLER = """
import sys
from pathlib import Path
from tests.support.containers.benches import opened
from tests.support.containers.image import IMAGE
from tests.support.sandboxes import Bench
address, folder, script = sys.argv[1:]
workspace = Path(folder) / "workspace"
workspace.mkdir()
with opened(address, workspace) as box:
    Bench(box, workspace, lambda *_: print("step runs", flush=True), image=IMAGE).run(script, seconds=60)
"""


def test_a_worker_killed_outright_takes_the_step_with_it(containers: DockerContainers, tmp_path: Path) -> None:
    marker = Marker()
    script = f"echo now; trap '' TERM; (setsid {marker.sleep} &); {marker.sleep}"
    worker = subprocess.Popen(
        [sys.executable, "-c", CALLER, containers.facts["engine"], str(tmp_path), script],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"step runs\n"
        while len(marker.alive()) < 2:
            time.sleep(0.01)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        assert marker.wait_until_gone(5)
    wait_for(lambda: left_of(containers) == ["containers"])
    containers.remove(next(iter(containers.find_left())))
