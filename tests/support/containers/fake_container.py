"""A container of the fake engine: processes in namespaces by bubblewrap, under the control group of its limits."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tasks.pipelines.gateways.sandbox.base import SYSTEM_PATH, Limits
from tasks.pipelines.gateways.sandbox.bubblewrap import find_bubblewrap
from tasks.pipelines.gateways.sandbox.cgroups import ControlGroup, ControlGroups
from tasks.pipelines.gateways.sandbox.launch import dropping_to
from tasks.pipelines.gateways.sandbox.processes import descendants

KINDS = {"core": resource.RLIMIT_CORE, "fsize": resource.RLIMIT_FSIZE}


@dataclass
class FakeContainer:
    """One container; `body` is what it was made of."""

    body: dict[str, Any]
    root: Path
    groups: ControlGroups | None
    id: str = field(default_factory=lambda: uuid.uuid4().hex * 2)
    status: str = "created"
    exit_code: int = 0
    killed_for_memory: bool = False
    networks: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    group: ControlGroup | None = None
    wire: socket.socket | None = None
    log: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)

    def attach(self, wire: socket.socket) -> None:
        """Give the streams of the container that will be started to a connection."""
        self.wire = wire

    def start(self) -> None:
        """Start it; raises FileNotFoundError for a program that is not there."""
        words = [*self.body.get("Entrypoint", ()), *self.body.get("Cmd", ())]
        if words[0].startswith("/missing"):
            raise FileNotFoundError(words[0])
        self._make_group()
        gate, release = os.pipe()
        command, options = self._confined(words)
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", f'read -r _ <&{gate} && exec "$@" {gate}<&-', "gate", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[gate, options],
            start_new_session=True,
            env={"PATH": os.defpath},
        )
        os.close(gate)
        os.close(options)
        self._limit(self.process.pid)
        self.status = "running"
        os.write(release, b"\n")
        os.close(release)
        self._follow(self.process)

    def kill(self) -> None:
        """Kill all of it."""
        if self.process is not None and self.process.poll() is None:
            for pid in (*descendants(self.process.pid), self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def run(self, words: list[str]) -> tuple[int, bytes]:
        """Run another program beside it, with its folders."""
        command, options = self._confined(words)
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=[options], check=False)
        os.close(options)
        return ran.returncode, ran.stdout

    def execute(self, words: list[str]) -> subprocess.Popen[bytes]:
        """Run another program in its very namespaces, as `exec` of a pod does: what that starts may outlive it."""
        uid, _, gid = self.body.get("User", "0:0").partition(":")
        spaces = ["nsenter", "-t", str(self._first_process()), *("-U", "-m", "-p", "-u", "-i", "-n")]
        within = ["-S", uid, "-G", gid or uid, "env", "-i", *(f"{k}={v}" for k, v in self._environment().items())]
        gate, release = os.pipe()
        started = subprocess.Popen(
            ["/bin/bash", "-c", f'read -r _ <&{gate} && exec "$@" {gate}<&-', "gate", *spaces, *within, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[gate],
            start_new_session=True,
            env={"PATH": SYSTEM_PATH},
        )
        os.close(gate)
        if self.group is not None:
            self.group.add(started.pid)
        os.write(release, b"\n")
        os.close(release)
        return started

    def _first_process(self) -> int:
        """The process that is number 1 inside."""
        ends = time.monotonic() + 5
        while self.process is not None and time.monotonic() < ends:
            for pid in descendants(self.process.pid):
                with contextlib.suppress(OSError):
                    is_first = re.search(r"NSpid:.*\t1\n", Path(f"/proc/{pid}/status").read_text())
                    # Before its groups are mapped, nobody who enters can become one of them.
                    if is_first and Path(f"/proc/{pid}/gid_map").read_text():
                        return pid
            time.sleep(0.01)
        raise FileNotFoundError("the container has no process")

    def remove(self) -> None:
        """End it and forget its folders."""
        self.kill()
        if self.process is not None:
            self.ended.wait(5)
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if self.group is not None:
            self.group.remove()

    def _confined(self, words: list[str]) -> tuple[list[str], int]:
        """The command of a program in its namespaces, and the descriptor that it reads its options from."""
        host = self.body["HostConfig"]
        mounts: list[tuple[str, Any, str]] = [("--bind", self.root / "tmp", "/tmp")]
        mounts += [
            ("--ro-bind" if mount["ReadOnly"] else "--bind", mount["Source"], mount["Target"])
            for mount in host.get("Mounts", ())
            if mount["Type"] == "bind"  # others are folders of the root
        ]
        mounts += [("--ro-bind", path, f"/sys/fs/cgroup{end}") for path, end in self._group_folders()]
        uid, _, gid = self.body.get("User", "0:0").partition(":")
        options = ["--unshare-all", "--unshare-user", "--uid", uid, "--gid", gid or uid, "--cap-drop", "ALL"]
        options += ["--as-pid-1", "--bind", str(self.root), "/", "--proc", "/proc", "--dev", "/dev"]
        options += [str(word) for mount in mounts for word in mount]
        options += ["--remount-ro", "/"] if host.get("ReadonlyRootfs") else []
        options += ["--chdir", self.body.get("WorkingDir", "/"), "--clearenv"]
        for name, value in self._environment().items():
            options += ["--setenv", name, value]
        descriptor = os.memfd_create("options")
        os.write(descriptor, "\0".join(options).encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        become = dropping_to(int(uid)) if os.geteuid() == 0 and int(uid) else []
        return [*become, find_bubblewrap()[0], "--args", str(descriptor), "--", *words], descriptor

    def _environment(self) -> dict[str, str]:
        given = dict(pair.split("=", 1) for pair in self.body["Env"])
        return {"PATH": SYSTEM_PATH, "HOSTNAME": self.id[:12], **given}

    def _group_folders(self) -> list[tuple[Path, str]]:
        if self.group is None:
            return []
        if self.group.version == 2:
            return [(self.group.directories()[0], "")]
        names = {"memory": "/memory", "cpuacct": "/cpuacct"}
        return [(path, names[name]) for name, path in self.group.paths.items() if name in names]

    def _make_group(self) -> None:
        host = self.body["HostConfig"]
        if self.groups is not None:
            self.group = self.groups.make()
            cpus = host["NanoCpus"] / 1e9 if "NanoCpus" in host else None
            self.group.limit(Limits(0, cpus, host.get("Memory"), None, None, host.get("PidsLimit")))

    def _limit(self, pid: int) -> None:
        if self.group is not None:
            self.group.add(pid)
        for limit in self.body["HostConfig"].get("Ulimits", ()):
            if limit["Name"] in KINDS:
                resource.prlimit(pid, KINDS[limit["Name"]], (limit["Soft"], limit["Hard"]))

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        pumps = [
            threading.Thread(target=self._pump, args=(number, pipe), daemon=True)
            for number, pipe in ((1, process.stdout), (2, process.stderr))
        ]
        if self.wire is not None:
            threading.Thread(target=self._feed, args=(self.wire, process.stdin), daemon=True).start()
        for pump in pumps:
            pump.start()
        threading.Thread(target=self._reap, args=(process, pumps), daemon=True).start()

    def _pump(self, number: int, pipe: IO[bytes]) -> None:
        while data := os.read(pipe.fileno(), 32 * 1024):
            self.log += data
            if self.wire is not None:
                with contextlib.suppress(OSError):
                    self.wire.sendall(bytes((number, 0, 0, 0)) + len(data).to_bytes(4, "big") + data)
        pipe.close()

    def _feed(self, wire: socket.socket, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := wire.recv(4096):
                pipe.write(data)
                pipe.flush()
        with contextlib.suppress(OSError):
            pipe.close()

    def _reap(self, process: subprocess.Popen[bytes], pumps: list[threading.Thread]) -> None:
        code = process.wait()
        for pump in pumps:
            pump.join()
        self.killed_for_memory = self.group is not None and self.group.out_of_memory_kills() > 0
        self.exit_code = 128 - code if code < 0 else code
        self.status = "exited"
        self.ended.set()
        if self.wire is not None:
            with contextlib.suppress(OSError):
                self.wire.shutdown(socket.SHUT_RDWR)
