"""Finding a stage's artifacts: what its globs match in the workspace, and nothing that a link smuggles in."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath

from app.kernel.errors import Permanent
from app.pipelines.definition import matches_artifact

MOST_FILES = 1000
# Of UTF-8: an index entry of the database takes no more than some 2,700 bytes, and a stage's name is in it too.
LONGEST_NAME = 1024

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\\\ud800-\udfff\u2028\u2029]")
_GLOB_SIGNS = frozenset("*?[")
_HISTORY = ".git"


class ArtifactsTooLarge(Permanent):
    """The stage's artifacts are more than may be kept."""

    code = "ARTIFACTS_TOO_LARGE"


class ArtifactNameRefused(Permanent):
    """An artifact has a name that cannot be kept."""

    code = "ARTIFACT_NAME_REFUSED"


@dataclass(frozen=True, slots=True)
class Found:
    """An artifact: its name is the path in the workspace, `path` the regular file, `size` in bytes."""

    name: str
    path: Path
    size: int


def collect(root: Path, globs: Sequence[str], *, max_bytes: int, max_files: int = MOST_FILES) -> list[Found]:
    """Return the files under `root` that some glob matches, by name.

    A plain path takes a directory whole. `.git` is passed over, and so are links to directories; a link to a file
    counts as that file when it lies in the workspace. Raises ArtifactsTooLarge or ArtifactNameRefused.
    """
    found: dict[str, Found] = {}
    total = 0
    for one in _matching(root.resolve(), globs):
        if one.name in found:
            continue
        found[one.name] = one
        total += one.size
        if len(found) > max_files:
            raise ArtifactsTooLarge(f"The globs match more than {max_files} files.")
        if total > max_bytes:
            raise ArtifactsTooLarge(f"The artifacts take more than the {max_bytes:,} bytes they may.")
    return sorted(found.values(), key=lambda one: one.name)


def names_matching(root: Path, globs: Sequence[str]) -> Iterator[str]:
    """Yield the paths of what some glob matches below a resolved `root`: all but directories, not looked at."""
    for glob in globs:
        if _UNSAFE.search(glob):
            continue  # it could only match names that are refused
        ending = _plain_ending(glob)
        for name in _files_below(root, _plain_beginning(glob)):
            if name.endswith(ending) and matches_artifact(glob, name):
                yield name


def _matching(root: Path, globs: Sequence[str]) -> Iterator[Found]:
    for name in names_matching(root, globs):
        if one := _look_at(root, name):
            _check_name(name)
            yield one


def _plain_beginning(glob: str) -> PurePosixPath:
    """The directory, or file, that all matches share: nothing beside it needs to be walked."""
    parts = takewhile(lambda part: not _GLOB_SIGNS & set(part), PurePosixPath(glob).parts)
    return PurePosixPath(*parts)


def _plain_ending(glob: str) -> str:
    """What all matches of a glob with signs end with: it spares most files of a large workspace the slower matching."""
    tail = re.split(r"[*?\[\]]", glob.rstrip("/"))
    return tail[-1].lstrip("/") if len(tail) > 1 else ""


def _files_below(root: Path, beginning: PurePosixPath) -> Iterator[str]:
    start = root / beginning
    if not start.is_relative_to(root):
        return
    if os.path.realpath(start) == str(start) and os.path.isdir(start):
        yield from _walk(root, "" if start == root else f"{beginning}/")
    elif os.path.realpath(start.parent) == str(start.parent):
        yield str(beginning)  # a file, or a link to one, or nothing: that is for the look at it to tell


def _walk(root: Path, prefix: str) -> Iterator[str]:
    waiting = [prefix]
    while waiting:
        prefix = waiting.pop()
        try:
            entries = list(os.scandir(root / prefix))
        except OSError:
            continue  # closed to us, or nested deeper than a path can say
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.extend([] if entry.name == _HISTORY else [f"{prefix}{entry.name}/"])
            else:
                yield prefix + entry.name


def _look_at(root: Path, name: str) -> Found | None:
    try:
        path = (root / name).resolve(strict=True)
        facts = path.stat()
    except (OSError, RuntimeError, ValueError):
        return None
    if not path.is_relative_to(root) or not stat.S_ISREG(facts.st_mode):
        return None
    if _HISTORY in path.relative_to(root).parts:
        return None
    return Found(name, path, facts.st_size)


def _check_name(name: str) -> None:
    if _UNSAFE.search(name) or len(name.encode(errors="replace")) > LONGEST_NAME:
        raise ArtifactNameRefused(f"The artifact {name[:100]!r} has a name that is too long or holds odd characters.")
