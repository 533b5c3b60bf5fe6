"""`headrace import`: from the files of other systems to headrace.yml, with a list of what could not be taken over."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from cli.converting import KINDS, Conversion, NotConvertible, convert
from cli.problem import Problem
from cli.sources import Group, find_groups, fit_names, read_sources

_SIGNS: Final = {"lost": "left out", "check": "check", "moot": "no need"}
_ENDS: Final = ("whole", "with losses", "refused")
_HELP: Final = "convert GitHub Actions, GitLab CI and Woodpecker files to headrace.yml"


def add_import_command(commands: Any) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("import", help=_HELP, description=f"{_HELP[0].upper()}{_HELP[1:]}.")
    parser.add_argument(
        "paths", nargs="*", type=Path, help="files, or folders that have such; this folder when left out"
    )
    parser.add_argument("--kind", choices=sorted(KINDS), help="the system, where a file's name does not tell")
    parser.add_argument("--output", type=Path, help="where to write; - writes to standard output")
    parser.add_argument("--force", action="store_true", help="write over files that are there")
    parser.add_argument("--quiet", action="store_true", help="list only what was left out")
    parser.add_argument("--survey", action="store_true", help="write nothing; tell how files below the folders fare")
    parser.set_defaults(command=run_import)


def run_import(options: argparse.Namespace) -> int:
    """Convert, write, and list; 1 where some file could not be converted at all."""
    paths = options.paths or [Path()]
    if options.survey:
        return survey(paths)
    groups = find_groups(paths, options.kind)
    if not groups:
        raise Problem("found no file of GitHub Actions, GitLab CI or Woodpecker here")
    targets = _targets(groups, options)
    return max(_import_group(group, target, options) for group, target in zip(groups, targets, strict=True))


def _targets(groups: Sequence[Group], options: argparse.Namespace) -> list[Path | None]:
    """Return where each pipeline is written, None for standard output; raises Problem before anything is."""
    if options.output is not None and str(options.output) == "-":
        return [None] * len(groups)
    if options.output is not None and len(groups) == 1 and not options.output.is_dir():
        targets = [options.output]
    else:
        folder = options.output if options.output is not None else Path()
        names = ["headrace"] if len(groups) == 1 else fit_names([f"headrace-{group.name}" for group in groups])
        targets = [folder / f"{name}.yml" for name in names]
    for target in targets:
        if target.exists() and not options.force:
            raise Problem(f"{target} is there already; --force writes over it")
    return targets


def _import_group(group: Group, target: Path | None, options: argparse.Namespace) -> int:
    try:
        made = convert(group.kind, read_sources(group))
    except NotConvertible as fault:
        _say(f"{group.paths[0]}:{fault.line or 1}: not converted: {fault.message}")
        return 1
    if target is None:
        sys.stdout.write(made.text)
    else:
        _write(target, made.text)
    _list_notes(made, target, quiet=options.quiet)
    return 0


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Problem(f"{target} cannot be written: {error.strerror}") from None


def _list_notes(made: Conversion, target: Path | None, *, quiet: bool) -> None:
    for weight, sign in _SIGNS.items():
        if quiet and weight != "lost":
            continue
        for note in made.notes:
            if note.weight == weight:
                _say(f"{note.file}:{note.line or 1}: {sign}: {note.what}: {note.message}")
    counts = Counter(note.weight for note in made.notes)
    _say(
        f"{target or 'headrace.yml'}: {counts['lost']} left out or changed, {counts['check']} to check,"
        f" {counts['moot']} not needed"
    )


def survey(paths: Sequence[Path]) -> int:
    """Print how many pipelines below the folders are converted whole, with losses, or not, and by which constructs."""
    totals: dict[str, Counter[str]] = {}
    constructs: dict[str, Counter[str]] = {}
    for group in find_groups(_repositories(paths), None):
        ends, found = totals.setdefault(group.kind, Counter()), constructs.setdefault(group.kind, Counter())
        try:
            made = convert(group.kind, read_sources(group))
        except NotConvertible as fault:
            ends["refused"] += 1
            found[f"refused: {fault.message}"] += 1
            continue
        ends["whole" if made.is_whole else "with losses"] += 1
        found.update({_construct(note.what) for note in made.notes if note.weight == "lost"})
    for kind in sorted(totals):
        ends = totals[kind]
        print(f"{kind}: {ends.total()} pipelines: " + ", ".join(f"{ends[end]} {end}" for end in _ENDS))
        for what, count in constructs[kind].most_common(25):
            print(f"  {count:4} {what}")
    return 0


def _repositories(paths: Iterable[Path]) -> list[Path]:
    """Return the folders that hold files of other systems, at most three levels down."""
    found: dict[Path, None] = {}
    for path in paths:
        found[path] = None
        for depth in ("*", "*/*", "*/*/*"):
            found |= dict.fromkeys(sorted(each for each in path.glob(depth) if each.is_dir()))
    return [path for path in found if path.name not in (".github", ".woodpecker", "workflows")]


def _construct(what: str) -> str:
    """Return the kind of thing a note is about, without the name of the one thing."""
    for prefix in ("uses:", "plugin", "image", "secret", "env", "job", "shell:", "${{", "variable"):
        if what.startswith(prefix):
            return "${{ … }}" if prefix == "${{" else f"{prefix} …"
    return "CI variable" if what.startswith(("CI_", "GITLAB_")) else what


def _say(text: str) -> None:
    print(text, file=sys.stderr)
