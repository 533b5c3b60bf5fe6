"""The launcher's command line: `python -m launcher up|down|status|services|demo`."""

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from launcher.background import show_status, start_in_background, stop_running
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
from launcher.home import AlreadyRunning, Home
from launcher.output import Console
from launcher.processes import LaunchError
from launcher.stack import Stack
from launcher.supervisor import Stopped, StopSignals

ROOT = Path(__file__).parents[1]


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


def summary(home: Home, new: bool, how_to_stop: str) -> str:
    """What a person needs to know of a platform that is ready; the password only the first time."""
    run = home.read_run()
    if run is None:
        raise LaunchError("Headrace ended right after its start")
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
