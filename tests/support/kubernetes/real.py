"""Starts a real Kubernetes control plane on loopback, for tests: `python -m tests.support.kubernetes.real FOLDER`.

It runs etcd, kube-apiserver and kube-controller-manager, found in the folder KUBE_BIN or on the PATH, and a stand-in
for a kubelet on the node "n1", which runs no container. When all is ready it prints one line of JSON: server,
admin_token, user_token (of "bob", who may do nothing). It stays until SIGTERM. Nothing here is for production.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from app.clusters import Access, write_kubeconfig
from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import ClusterError, Kind, Object, Patch, RestCluster, kinds, list_all

NEEDED = ("etcd", "kube-apiserver", "kube-controller-manager")
PATIENCE = 180.0
NEVER_READY = "test.headrace/never-ready"
_TICK = 0.2
_BINDING = Kind("v1", "Binding", "bindings")
# Until 1.23 both servers listened without TLS as well, unless they were told not to.
_LEGACY = {"kube-apiserver": "--insecure-port", "kube-controller-manager": "--port"}
_CAPACITY = {"cpu": "16", "memory": "64Gi", "pods": "500", "ephemeral-storage": "100Gi"}


def main(folder: Path) -> None:
    """Run until told to stop."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    missing = [name for name in NEEDED if _find(name) is None]
    if missing:
        sys.exit(f"not found in KUBE_BIN or on the PATH: {', '.join(missing)}; docs/clusters.md says how to get them")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        told = _start(folder.resolve(), running, stop)
        print(json.dumps(told), flush=True)
        stop.wait()


def _start(folder: Path, running: ExitStack, stop: threading.Event) -> dict[str, str]:
    admin, bob = secrets.token_hex(16), secrets.token_hex(16)
    (folder / "tokens.csv").write_text(f"{admin},admin,admin,system:masters\n{bob},bob,bob\n")
    _write_keys(folder)
    client, peer, port, manager = (_free_port() for _ in range(4))
    server = f"https://127.0.0.1:{port}"
    access = Access(server, token=admin, verify=False)
    (folder / "kubeconfig").write_text(write_kubeconfig("tests", access))
    running.enter_context(_process(folder, "etcd", _etcd_options(folder, client, peer)))
    running.enter_context(_process(folder, "kube-apiserver", _api_options(folder, client, port)))
    cluster = RestCluster(access, rules=AddressRules(allow_loopback=True))
    _wait(lambda: _holds(cluster.is_ready), stop)
    running.enter_context(_process(folder, "kube-controller-manager", _manager_options(folder, manager)))
    _wait(lambda: _holds(lambda: bool(cluster.get(kinds.SERVICE_ACCOUNT, "default", "default"))), stop)
    threading.Thread(target=_stand_in, args=(cluster, stop), daemon=True).start()
    return {"server": server, "admin_token": admin, "user_token": bob}


def _etcd_options(folder: Path, client: int, peer: int) -> list[str]:
    here = f"http://127.0.0.1:{client}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={here}",
        f"--advertise-client-urls={here}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    ]


def _api_options(folder: Path, etcd: int, port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://tests",
        f"--service-account-key-file={folder / 'accounts.pub'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--api-audiences=tests",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--profiling=false",
    ]


def _manager_options(folder: Path, port: int) -> list[str]:
    return [
        f"--kubeconfig={folder / 'kubeconfig'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}",
        f"--service-account-private-key-file={folder / 'accounts.key'}",
        "--leader-elect=false",
        "--controllers=*,-nodelifecycle,-nodeipam,-route,-service,-cloud-node-lifecycle,-ttl,-attachdetach",
    ]


def _write_keys(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = PrivateFormat.TraditionalOpenSSL
    (folder / "accounts.key").write_bytes(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "accounts.pub").write_bytes(public)


def _find(name: str) -> str | None:
    chosen = Path(os.environ.get("KUBE_BIN", "")) / name
    return str(chosen) if chosen.is_file() and os.environ.get("KUBE_BIN") else shutil.which(name)


def _legacy_options(name: str) -> list[str]:
    option = _LEGACY.get(name)
    told = subprocess.run([_find(name) or name, "--help"], capture_output=True, text=True, check=False).stdout
    return [f"{option}=0"] if option and f"{option} " in told else []


@contextmanager
def _process(folder: Path, name: str, options: list[str]) -> Iterator[None]:
    options = [*options, *_legacy_options(name)]
    with (folder / f"{name}.log").open("wb") as log:
        started = subprocess.Popen([_find(name) or name, *options], stdout=log, stderr=log, cwd=folder)
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(5)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _wait(is_so: Callable[[], bool], stop: threading.Event) -> None:
    ends = time.monotonic() + PATIENCE
    while not is_so():
        if stop.wait(_TICK) or time.monotonic() > ends:
            sys.exit("the control plane did not become ready; see the logs in its folder")


def _holds(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except ClusterError:
        return False


def _stand_in(cluster: RestCluster, stop: threading.Event) -> None:
    """Do what a scheduler and a kubelet would."""
    cluster.create(kinds.NODE, {"metadata": {"name": "n1"}})
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"capacity": _CAPACITY, "allocatable": _CAPACITY, "conditions": [ready]}
    cluster.patch(kinds.NODE, "n1", change={"status": status}, subresource="status")
    while not stop.wait(_TICK):
        with suppress(ClusterError):
            for pod in list_all(cluster, kinds.POD):
                _run(cluster, pod)


def _run(cluster: RestCluster, pod: Object) -> None:
    meta = pod["metadata"]
    place = (kinds.POD, meta["name"], meta["namespace"])
    if meta.get("deletionTimestamp"):
        cluster.delete(*place, grace=0)
    elif NEVER_READY in (meta.get("annotations") or {}):
        return
    elif not pod["spec"].get("nodeName"):
        target = {"apiVersion": "v1", "kind": "Node", "name": "n1"}
        cluster.create(_BINDING, {"metadata": {name: meta[name] for name in ("name", "namespace")}, "target": target})
    elif pod["status"].get("phase") == "Pending":
        cluster.patch(*place, change={"status": _running(pod)}, form=Patch.STRATEGIC, subresource="status")


def _running(pod: Object) -> Object:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    types = ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    state = {"running": {"startedAt": now}}
    common = {"ready": True, "started": True, "restartCount": 0, "image": "x", "imageID": "", "state": state}
    return {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "startTime": now,
        "conditions": [{"type": name, "status": "True"} for name in types],
        "containerStatuses": [common | {"name": container["name"]} for container in pod["spec"]["containers"]],
    }


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


if __name__ == "__main__":
    main(Path(sys.argv[1]))
