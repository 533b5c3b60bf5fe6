"""`headrace run`: the repository's pipeline, here."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any, Final

from app.kernel.store import BlobStore
from app.pipelines.definition import (
    Definition,
    DefinitionInvalid,
    Plan,
    RunContext,
    include_all,
    make_plan,
    parse,
    parse_variables,
)
from cli.local import Commit, Git, LocalRun, Screen, Wishes
from cli.local.pipeline import wanted_stages
from cli.local.stage import Ground
from cli.problem import Problem
from cli.secrets import read_secrets
from tasks.pipelines.gateways.sandbox import Limits, choose_sandbox, remove_tree
from tasks.pipelines.secrets import Secrets

FILE: Final = "headrace.yml"
EVENTS: Final = ("manual", "git_push", "git_tag", "pull_request", "schedule", "api", "webhook", "pipeline")
STEP_SECONDS: Final = 24 * 3600
INTERRUPTED: Final = 130


def add_run_command(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("run", help="run the repository's pipeline here, without a server")
    parser.add_argument("path", nargs="?", type=Path, default=Path(), help="the definition, or the folder it is in")
    parser.add_argument("--stage", action="append", default=[], help="only this stage and what it depends on")
    parser.add_argument("--variable", action="append", default=[], metavar="K=V", help="a variable of the run")
    parser.add_argument("--secret", action="append", default=[], metavar="NAME", help="a secret, from the environment")
    parser.add_argument("--secrets", type=Path, metavar="FILE", help="secrets, one NAME=VALUE a line")
    parser.add_argument("--event", choices=EVENTS, default="manual", help="what CI_EVENT says")
    parser.add_argument("--branch", help="what BRANCH says, when it is not the one that is checked out")
    parser.add_argument("--tag", help="run as for this tag")
    parser.add_argument("--commit", metavar="SHA", help="a clean checkout of a commit, not the work tree")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many stages run at once")
    parser.add_argument(
        "--sandbox", choices=("auto", "bubblewrap", "plain"), default="auto", help="how steps are confined; auto tries"
    )
    parser.add_argument("--see", action="append", default=[], type=Path, metavar="DIR", help="what steps may read too")
    parser.add_argument("--list", action="store_true", help="list the stages and steps, and run nothing")
    parser.set_defaults(command=run_pipeline)


def run_pipeline(options: argparse.Namespace) -> int:
    """Run and return 0, 1 where something failed, or 130 where it was interrupted."""
    definition_path = options.path / FILE if options.path.is_dir() else options.path
    git = Git(options.environment)
    top = git.find_top(definition_path.absolute().parent)
    screen = Screen(sys.stdout, colours=sys.stdout.isatty() and "NO_COLOR" not in options.environment)
    secrets = Secrets({}, read_secrets(options.secret, options.secrets, options.environment))
    with tempfile.TemporaryDirectory(prefix="headrace-run-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        commit = git.take_source(top, home / "source", options.commit)
        definition = _read(home / "source", _within(top, definition_path), definition_path)
        plan = _plan(definition, commit, home / "source", options)
        if options.list:
            return _list(plan, options, screen)
        try:
            return _run(plan, home, secrets, screen, options)
        finally:
            remove_tree(home / "source")


def _run(plan: Plan, home: Path, secrets: Secrets, screen: Screen, options: argparse.Namespace) -> int:
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sandbox = choose_sandbox(options.sandbox, extra_read_only=[path.expanduser().resolve() for path in options.see])
    if sandbox.name != "bubblewrap":
        screen.say(f"Steps run without a sandbox of their own: {sandbox.facts.get('why', '')}")
    (home / "stages").mkdir()
    ground = Ground(
        plan=plan,
        sandbox=sandbox,
        secrets=secrets,
        screen=screen,
        source=home / "source",
        home=home / "stages",
        store=BlobStore(f"file://{home / 'store'}"),
        limits=Limits(seconds=STEP_SECONDS),
        path=options.environment.get("PATH", ""),
        should_stop=stop.is_set,
    )
    run = LocalRun(ground, Wishes(frozenset(options.stage), options.jobs))
    succeeded = run.run()
    screen.table(run.rows())
    return INTERRUPTED if stop.is_set() else 0 if succeeded else 1


def _within(top: Path, path: Path) -> Path:
    """Return the path of a file from the top of its repository; raises Problem for one that lies elsewhere."""
    place = path.absolute().resolve()
    if not place.is_relative_to(top.resolve()):
        raise Problem(f"{path} leads out of the repository at {top}")
    return place.relative_to(top.resolve())


def _read(source: Path, place: Path, shown: Path) -> Definition:
    if not (source / place).is_file() and shown.is_file():
        raise Problem(f"{shown} is no part of what runs: git ignores it, or the commit does not have it")
    try:
        return parse((source / place).read_bytes(), "json" if place.suffix == ".json" else "yaml")
    except OSError as error:
        raise Problem(f"{shown}: {error.strerror}") from None
    except DefinitionInvalid as error:
        raise Problem("\n".join(f"{shown}: {fault}" for fault in error.faults)) from None


def _plan(definition: Definition, commit: Commit, source: Path, options: argparse.Namespace) -> Plan:
    branch = None if options.tag else options.branch or commit.branch or None
    context = RunContext(
        execution_id="local",
        pipeline=definition.name or source.name,
        workspace_id="local",
        repository_url="",
        branch=branch,
        trigger=options.event,
        commit_sha=commit.sha,
        tag=options.tag,
        variables=_variables(options.variable),
    )
    plan = make_plan(definition, context)
    if plan.pending is None:
        return plan
    try:
        return include_all(plan, lambda path: _read_included(source, path))
    except DefinitionInvalid as error:
        raise Problem("\n".join(str(fault) for fault in error.faults)) from None


def _read_included(source: Path, path: str) -> bytes:
    place = (source / path).resolve()
    if not place.is_relative_to(source.resolve()) or not place.is_file():
        raise Problem(f"{path}, which the pipeline includes, is no file of the repository")
    return place.read_bytes()


def _variables(given: list[str]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, sign, _ in pairs:
        if not sign:
            raise Problem(f"--variable {name}: say NAME=VALUE")
    try:
        return parse_variables({name: value for name, _, value in pairs})
    except DefinitionInvalid as error:
        raise Problem(str(error.faults[0])) from None


def _list(plan: Plan, options: argparse.Namespace, screen: Screen) -> int:
    for stage in wanted_stages(plan, frozenset(options.stage)):
        after = f" (after {', '.join(stage.depends_on)})" if stage.depends_on else ""
        holds = f" if {stage.condition}" if stage.condition else ""
        screen.say(f"{stage.name}{after}{holds}")
        for step in stage.steps:
            screen.say(f"  {step.name}" + (f" if {step.condition}" if step.condition else ""))
    return 0
