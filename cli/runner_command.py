"""`headrace runner`: this machine runs stages for a platform."""

from __future__ import annotations

import argparse
import logging
import platform
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from app.kernel.addresses import Reach, find_reach
from app.kernel.errors import HeadraceError
from app.kernel.version import VERSION
from cli.problem import Problem
from cli.runner.api import RunnerApi, TokenRefused
from cli.runner.home import Home, Identity, is_well
from cli.runner.loop import RunnerLoop, Stopping
from tasks.pipelines.gateways.base import Source
from tasks.pipelines.gateways.containers import Containers, DockerContainers, ImageRules
from tasks.pipelines.gateways.git import GitSource
from tasks.pipelines.gateways.sandbox import Limits, Sandbox, choose_sandbox, remove_tree
from tasks.tools import CacheLimits, StepDefaults

log = logging.getLogger(__name__)

GIBIBYTE: Final = 1024**3
HOME: Final = "~/.headrace/runner"


@dataclass(frozen=True, slots=True)
class RunnerBench:
    """What stages are done with here."""

    source: Source
    installation: str
    sandbox: Sandbox
    containers: Containers | None
    workspaces: Path
    steps: StepDefaults
    caches: CacheLimits


def add_runner_command(commands: Any) -> None:
    """Add the command and its own commands."""
    parser = commands.add_parser("runner", help="run stages here for a platform that knows this machine as its runner")
    deeds = parser.add_subparsers(required=True, metavar="DEED")
    for name, what, deed, options in (
        ("register", "become a runner, with a token that somebody has made", register, _add_register),
        ("start", "take stages until told to stop", start, _add_start),
        ("status", "say how the runner here does; 0 where it does well", status, None),
        ("unregister", "stop being a runner", unregister, None),
    ):
        own = deeds.add_parser(name, help=what)
        own.add_argument("--home", type=Path, default=Path(HOME), help=f"the runner's folder, {HOME} by default")
        if options is not None:
            options(own)
        own.set_defaults(command=deed)


def _add_register(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="the platform, such as https://ci.example.com")
    parser.add_argument("--token-file", type=Path, help="where the token is; else HEADRACE_RUNNER_TOKEN, or typed in")
    parser.add_argument("--name", default=socket.gethostname(), help="what people call it; this machine's name")
    parser.add_argument("--labels", default=_own_labels(), help="what stages ask for, separated by commas")
    parser.add_argument("--insecure", action="store_true", help="also over http:// to another machine")


def _add_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--capacity", type=int, default=1, help="stages at once")
    parser.add_argument(
        "--grace", type=float, default=60.0, help="seconds that stages may still take when it is stopped"
    )
    parser.add_argument("--sandbox", choices=("auto", "bubblewrap", "plain"), default="auto")
    parser.add_argument("--container-engine", default="", metavar="URL", help="for steps with an image, unix:///…")
    parser.add_argument("--container-images", default="", metavar="GLOBS", help="images that may be used; else all")
    parser.add_argument("--see", action="append", default=[], type=Path, metavar="DIR", help="what steps may read too")
    parser.add_argument("--step-uid", type=int, default=0, help="user of steps, where this runs as root")
    parser.add_argument("--step-memory", type=int, default=0, metavar="BYTES", help="memory of a step; 0: no limit")
    parser.add_argument("--step-disk", type=int, default=20 * GIBIBYTE, metavar="BYTES", help="disk of a stage")
    parser.add_argument("--allow-file-repositories", action="store_true", help="for trying things out")


def register(options: argparse.Namespace) -> int:
    """Register and keep the runner's token."""
    _check_address(options.url, insecure=options.insecure)
    home = Home(options.home.expanduser())
    if (home.folder / "runner.json").exists():
        raise Problem(f"there is a runner in {home.folder} already; headrace runner unregister makes room")
    labels = sorted({label.strip().lower() for label in options.labels.split(",") if label.strip()})
    asked = {"token": _read_token(options), "name": options.name, "labels": labels, **_say(1, "unknown")}
    try:
        made = RunnerApi(options.url).post("/runner/register", asked)
    except HeadraceError as error:
        raise Problem(f"it could not be registered: {error.message}") from None
    home.keep_identity(Identity(options.url, made["id"], made["name"], made["token"]))
    print(f"{made['name']} is a runner now, with the labels {', '.join(made['labels'])}. Let it work:")
    print(f"  headrace runner start --home {home.folder}")
    return 0


def start(options: argparse.Namespace) -> int:
    """Work until told to stop."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(message)s")
    home = Home(options.home.expanduser().absolute())
    identity = home.identity()
    with home.alone():
        # What an earlier run has left was of attempts that are over.
        remove_tree(home.work)
        home.work.mkdir(exist_ok=True)
        bench = _open_bench(home, identity, options)
        _sweep(bench.containers)
        stopping = Stopping(options.grace)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.ask())
        said = _say(options.capacity, bench.sandbox.name)
        api = RunnerApi(identity.url, identity.token)
        log.info("%s, %s, steps in %s", identity.name, identity.url, bench.sandbox.name)
        if bench.sandbox.name == "plain" and not options.step_uid:
            log.warning("steps without an image can read this runner's token: they are plain processes of its user")
        return RunnerLoop(api, home, bench, options.capacity, said, stopping).run()


def status(options: argparse.Namespace) -> int:
    """Say how the runner does and return 0, or 1 where it does not do well."""
    home = Home(options.home.expanduser())
    identity, health = home.identity(), home.health()
    well = is_well(health)
    print(f"{identity.name} at {identity.url}: {'well' if well else 'not well'}")
    if health is not None:
        state = "draining, " if health.draining else ""
        print(f"  {state}{len(health.jobs)} at hand, {health.done} done since it was started")
        for job_id in health.jobs:
            print(f"  job {job_id}")
        if health.fault:
            print(f"  {health.fault}")
    return 0 if well else 1


def unregister(options: argparse.Namespace) -> int:
    """Leave the platform and forget the token."""
    home = Home(options.home.expanduser())
    identity = home.identity()
    with home.alone():
        try:
            RunnerApi(identity.url, identity.token).delete("/runner")
        except TokenRefused:
            print("the platform did not know it any more")
        except HeadraceError as error:
            raise Problem(f"the platform could not be told: {error.message}") from None
        home.forget_identity()
    return 0


def _open_bench(home: Home, identity: Identity, options: argparse.Namespace) -> RunnerBench:
    seen = [path.expanduser().resolve() for path in options.see]
    uid = options.step_uid or None
    try:
        sandbox = choose_sandbox(options.sandbox, extra_read_only=seen, step_uid=uid)
    except HeadraceError as error:
        raise Problem(error.message) from None
    limits = Limits(seconds=24 * 3600, memory_bytes=options.step_memory or None, disk_bytes=options.step_disk or None)
    return RunnerBench(
        source=GitSource(allow_file=options.allow_file_repositories, allow_private_addresses=True),
        installation=identity.id.replace("-", "")[:16],
        sandbox=sandbox,
        containers=_open_containers(home, identity, options, seen),
        workspaces=home.work,
        steps=StepDefaults(limits, network=True, path="", artifact_bytes=4 * GIBIBYTE, image=""),
        caches=CacheLimits(4 * GIBIBYTE, 0, 0),
    )


def _open_containers(
    home: Home, identity: Identity, options: argparse.Namespace, seen: list[Path]
) -> Containers | None:
    if not options.container_engine:
        return None
    return DockerContainers(
        options.container_engine,
        installation=identity.id.replace("-", "")[:16],
        rules=ImageRules([glob for glob in options.container_images.split(",") if glob], "if-missing"),
        workspaces=home.work,
        seen_workspaces=None,
        scratch=home.work,
        step_uid=options.step_uid or None,
        extra_read_only=seen,
    )


def _sweep(containers: Containers | None) -> None:
    """Take away what an earlier run, killed, has left of its own on the engine."""
    if containers is None:
        return
    with suppress(HeadraceError):
        for left in list(containers.find_left([])):
            containers.remove(left)


def _say(capacity: int, sandbox: str) -> dict[str, Any]:
    system = f"{platform.system().lower()} {platform.machine()}"
    return {"version": VERSION, "system": system, "sandbox": sandbox, "capacity": capacity}


def _own_labels() -> str:
    return f"{platform.system()},{platform.machine()}".lower()


def _check_address(url: str, *, insecure: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Problem(f"{url} is no address of a platform, such as https://ci.example.com")
    if parts.scheme == "http" and find_reach(parts.hostname) is not Reach.LOOPBACK and not insecure:
        raise Problem("over http:// anybody on the way reads the stages' secrets; use https://, or say --insecure")


def _read_token(options: argparse.Namespace) -> str:
    """Return the registration token; never an argument, which all users of a machine can read."""
    if options.token_file is not None:
        try:
            return str(options.token_file.read_text().strip())
        except OSError as error:
            raise Problem(f"{options.token_file}: {error.strerror}") from None
    if token := options.environment.get("HEADRACE_RUNNER_TOKEN"):
        return str(token)
    if sys.stdin.isatty():
        print("the registration token: ", end="", flush=True)
    return sys.stdin.readline().strip()
