"""Real engines for tests, started where they are installed and work: podman's service, and dockerd."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.kernel.addresses import AddressRules
from app.kernel.errors import HeadraceError
from tasks.gateways import HttpClient
from tasks.pipelines.gateways.containers.docker.engine import Engine
from tests.support.containers.image import IMAGE, VOLUME, image_tar

START_SECONDS = 20.0
PODMAN = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
runtime = "{runtime}"
[network]
network_backend = "netavark"
network_config_dir = "{folder}/networks"
"""


def kinds() -> list[str]:
    """The engines that this machine may be able to run: root's alone, as those of users have no limits everywhere."""
    if os.geteuid() != 0:
        return []
    return [name for name, program in (("podman", "podman"), ("docker", "dockerd")) if shutil.which(program)]


@contextmanager
def running(kind: str) -> Iterator[str]:
    """Run an engine of its own, with the image of the tests, and give its address; skips where it does not work."""
    folder = Path(tempfile.mkdtemp(prefix="headrace-engine-"))
    process = _start(kind, folder)
    try:
        address = f"unix://{folder}/engine.sock"
        _wait(process, address, folder)
        yield address
    finally:
        process.terminate()
        process.wait(20)
        _clean(folder)


def _start(kind: str, folder: Path) -> subprocess.Popen[bytes]:
    output = (folder / "log").open("wb")
    environment = dict(os.environ)
    if kind == "podman":
        runtime = "crun" if _is_plain_v2() and shutil.which("crun") else "runc"
        (folder / "containers.conf").write_text(PODMAN.format(runtime=runtime, folder=folder))
        environment["CONTAINERS_CONF"] = str(folder / "containers.conf")
        places = ["--root", f"{folder}/store", "--runroot", f"{folder}/run"]
        command = ["podman", *places, "system", "service", "--time=0", f"unix://{folder}/engine.sock"]
    else:
        (folder / "daemon.json").write_text("{}")
        command = [
            *("dockerd", "-H", f"unix://{folder}/engine.sock", "--data-root", f"{folder}/data"),
            *("--exec-root", f"{folder}/run", "-p", f"{folder}/pid", "--config-file", f"{folder}/daemon.json"),
            *("--iptables=false", "--ip6tables=false", "--bridge=none", "--default-ulimit", "nofile=1024:1024"),
        ]
    with output:
        # Where it is started, podman's monitor leaves a file when a container runs out of memory.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=folder
        )


def _is_plain_v2() -> bool:
    return Path("/sys/fs/cgroup/cgroup.controllers").exists()


def _wait(process: subprocess.Popen[bytes], address: str, folder: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(HeadraceError):
            engine = Engine(address)
            engine.read_facts()
            engine.close()
            _import(address)
            return
        if process.poll() is not None or time.monotonic() > give_up:
            said = (folder / "log").read_text(errors="replace").splitlines()[-1:]
            pytest.skip(f"{folder.name}: the engine does not start here: {said}")
        time.sleep(0.1)


def _import(address: str) -> None:
    name, _, tag = IMAGE.partition(":")
    client = HttpClient(address, rules=AddressRules())
    headers = {"Content-Type": "application/x-tar"}
    target = f"/images/create?fromSrc=-&repo={name}&tag={tag}&changes=VOLUME%20{VOLUME}"
    reply = client.request("POST", target, headers=headers, body=image_tar(), max_bytes=1 << 20)
    client.close()
    if reply.status != 200:
        pytest.skip(f"the engine took no image: {reply.body[:300]!r}")


def _clean(folder: Path) -> None:
    """End what the engine left running, such as podman's monitors of `exec`, which stay for five minutes."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{folder}/".encode() in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        point = line.split()[1]
        if point.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", point], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
