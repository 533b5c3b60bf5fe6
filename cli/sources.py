"""Finding the files of other systems, and which of them make one pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

from cli.converting import Kind, NotConvertible, Source
from cli.problem import Problem

MOST_BYTES: Final = 256 * 1024
_SUFFIXES: Final = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Group:
    """Files that become one pipeline; `name` tells it from others."""

    kind: Kind
    name: str
    paths: tuple[Path, ...]


def kind_of(path: Path) -> Kind | None:
    """Return the system that a file is of, by where it lies."""
    if path.suffix not in _SUFFIXES:
        return None
    if path.parent.name == "workflows" and path.parent.parent.name in (".github", ".gitea", ".forgejo"):
        return "github"
    if path.name.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml")):
        return "gitlab"
    if path.parent.name == ".woodpecker" or path.stem == ".woodpecker":
        return "woodpecker"
    return None


def find_groups(paths: Iterable[Path], kind: Kind | None) -> list[Group]:
    """Return the pipelines among files and folders; raises Problem for what is neither."""
    found: dict[tuple[Kind, Path], list[Path]] = {}
    for path in paths:
        if not path.exists():
            raise Problem(f"there is no {path}")
        for file in _files_at(path):
            own = kind if path.is_file() and kind else kind_of(file.absolute())
            if own is None and path.is_file():
                raise Problem(f"of which system is {path}? Say it by --kind")
            if own is not None:
                found.setdefault((own, file.parent if own == "woodpecker" else file), []).append(file)
    return [Group(own, _name(own, place), tuple(sorted(files))) for (own, place), files in found.items()]


def _files_at(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for place in (".github/workflows", ".gitea/workflows", ".forgejo/workflows", ".woodpecker"):
        yield from sorted(file for file in (path / place).glob("*") if file.suffix in _SUFFIXES and file.is_file())
    for name in (".gitlab-ci", ".woodpecker"):
        yield from (path / f"{name}{suffix}" for suffix in _SUFFIXES if (path / f"{name}{suffix}").is_file())


def _name(kind: Kind, place: Path) -> str:
    return place.stem if kind == "github" else kind


def read_sources(group: Group) -> list[Source]:
    """Return the files of a pipeline; raises NotConvertible for what is no text or too large."""
    return [Source(str(path), _read(path)) for path in group.paths]


def fit_names(names: Iterable[str]) -> list[str]:
    """Return names of files for pipelines of the same name, too: the second of them is numbered, and so on."""
    fitting: list[str] = []
    for name in names:
        numbered = (f"{name}-{number}" for number in count(2))
        fitting.append(next(one for one in chain([name], numbered) if one not in fitting))
    return fitting


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise NotConvertible(f"cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise NotConvertible(f"has more than {MOST_BYTES} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NotConvertible("is not UTF-8") from None
