"""The program: `headrace run`, `headrace import` and `headrace runner`."""

from __future__ import annotations

import argparse
import os
import sys

from cli.import_command import add_import_command
from cli.problem import Problem
from cli.run_command import add_run_command
from cli.runner_command import add_runner_command


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
    except Problem as problem:
        print(f"headrace: {problem}", file=sys.stderr)
        return problem.status
    return status


if __name__ == "__main__":
    sys.exit(main())
