"""The launcher's command line: `python -m launcher up|down|status|services|demo`."""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from launcher.background import show_status, start_in_background, stop_running
from launcher.demo import Demo, Walking, find_source
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
from launcher.home import AlreadyRunning, Home, Run
from launcher.output import Console
from launcher.processes import LaunchError
from launcher.stack import Stack
from launcher.supervisor import Stopped, StopSignals

ROOT = Path(__file__).parents[1]
# As shells have it for Ctrl-C.
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parse(arguments)
    try:
        code: int = options.run(options)
    except LaunchError as error:
        print(f"headrace: {error}", file=sys.stderr)
        return error.exit_code
    except Stopped:
        return 0
    return code


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command and its options; `run` is the function that does it."""
    parser = argparse.ArgumentParser(prog="python -m launcher", description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".headrace", help="where the platform keeps its things")
    parser.add_argument("--procfile", type=Path, default=ROOT / "Procfile", help="what to start")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("up", help="start the platform until Ctrl-C")
    command.add_argument("--detach", action="store_true", help="in the background; returns when it is ready")
    command.add_argument("--quiet", action="store_true", help="keep the processes' lines to their log files")
    command.set_defaults(run=up)
    commands.add_parser("down", help="stop the platform").set_defaults(run=down)
    commands.add_parser("status", help="show its processes").set_defaults(run=status)
    commands.add_parser("services", help="start PostgreSQL and Redis alone, empty").set_defaults(run=services)
    command = commands.add_parser("demo", help="start the platform, or take the running one, and run a pipeline")
    command.add_argument("--repository", default="", help="path or address; by default this checkout")
    command.add_argument("--branch", default="", help="by default the one that is checked out")
    command.add_argument("--once", action="store_true", help="end after the pipeline, with its success as exit code")
    command.set_defaults(run=demo)
    return parser.parse_args(arguments)


def up(options: argparse.Namespace) -> int:
    """Starts the platform, here or in the background; one that runs already is as good."""
    home, console = Home(options.home), Console(options.quiet)
    new = home.is_new()
    try:
        if options.detach:
            start_in_background(home, ["--procfile", str(options.procfile)])
            console.say(summary(home, new, "`make down` stops it."))
            return 0
        signals = StopSignals()
        signals.install()
        with Stack(options.procfile, home, console, signals).running() as supervisor:
            if not options.quiet:
                console.say(summary(home, new, "Ctrl-C stops it."))
            supervisor.watch(until=lambda: False)
    except AlreadyRunning:
        run = home.read_run()
        console.say(f"Headrace is already {'running at ' + run['api'] if run else 'starting'}; `make down` stops it.")
    return 0


def demo(options: argparse.Namespace) -> int:
    """Runs the pipeline of a repository, and keeps the platform running afterwards unless told to end."""
    source = find_source(options.repository or str(ROOT), options.branch)
    home = Home(options.home)
    new = home.is_new()
    signals = StopSignals()
    signals.install()
    stack = Stack(options.procfile, home, Console(quiet=True), signals)
    code = INTERRUPTED
    try:
        with stack.running() as supervisor:
            print(summary(home, new, "Ctrl-C stops it."), flush=True)
            with Walking(Demo(wait_for_run(home), source)) as walking:
                supervisor.watch(until=lambda: not walking.is_alive())
                code = walking.outcome()
            if not options.once:
                print("The platform keeps running; Ctrl-C stops it.", flush=True)
                supervisor.watch(until=lambda: False)
    except AlreadyRunning:
        print("Headrace is already running and is used as it is.", flush=True)
        code = 0 if Demo(wait_for_run(home), source).walk() else 1
    except Stopped:
        return code
    return code


def down(options: argparse.Namespace) -> int:
    """Stops the platform, wherever it was started."""
    stop_running(Home(options.home), Console())
    return 0


def status(options: argparse.Namespace) -> int:
    """Shows what runs."""
    return show_status(Home(options.home), Console())


def services(_options: argparse.Namespace) -> int:
    """PostgreSQL and Redis, empty and gone again at the end, for whoever wants to work on parts of the platform."""
    StopSignals().install()
    with (
        tempfile.TemporaryDirectory(prefix="headrace-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres") as postgres,
        EmbeddedRedis(Path(folder) / "redis") as redis,
    ):
        for server in (postgres, redis):
            print(f"export {server.url_name}={server.url}", flush=True)
        while True:
            signal.pause()


def wait_for_run(home: Home) -> Run:
    """The content of `run.json`, once the launcher that works in `home` is ready."""
    while not (run := home.read_run()):
        if home.holder() is None:
            raise LaunchError("Headrace ended before it was ready")
        time.sleep(0.1)
    return run


def summary(home: Home, new: bool, how_to_stop: str) -> str:
    """What a person needs to know of a platform that is ready; the password only the first time."""
    run = wait_for_run(home)
    admin = run["admin"]
    login = f"{admin['username']} / {admin['password']}" if new else f"{admin['username']}, password in {home.run_file}"
    return "\n".join(
        [
            f"Headrace is ready. {how_to_stop}",
            f"  API      {run['api']}/api/v1",
            f"  Docs     {run['api']}/docs",
            f"  Flower   {run['flower']}",
            f"  Admin    {login} (Flower too)",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
