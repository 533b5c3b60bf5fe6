"""The program: `headrace run`, `headrace import` and `headrace runner`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import Final

from cli.import_command import add_import_command
from cli.problem import Problem
from cli.run_command import add_run_command
from cli.runner_command import add_runner_command

UNREAD: Final = 128 + signal.SIGPIPE
INTERRUPTED: Final = 128 + signal.SIGINT


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="headrace", description="Headrace at your own machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_run_command(commands)
    add_import_command(commands)
    add_runner_command(commands)
    options = parser.parse_args(arguments, argparse.Namespace(environment=os.environ))
    try:
        status: int = options.command(options)
        sys.stdout.flush()
    except Problem as problem:
        print(f"headrace: {problem}", file=sys.stderr)
        return problem.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has gone. What is left of it must not fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    return status


if __name__ == "__main__":
    sys.exit(main())
