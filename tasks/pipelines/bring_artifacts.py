"""Bringing the artifacts of the stages a stage needs into its checkout, at the paths they were kept from.

The checkout is hostile: it may hold a symbolic link where an artifact's folder is wanted. So each part of the path is
opened without following links, and a file is made only where no link leads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from app.kernel.errors import Permanent
from app.pipelines import NeededArtifact

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
MODE = 0o755


class Opens(Protocol):
    """Gives the bytes of artifacts."""

    def open(self, key: str, /) -> AbstractContextManager[BinaryIO]:
        """Open what is kept under a key; raises BlobMissing or Transient."""
        ...


class ArtifactInTheWay(Permanent):
    """An artifact of an earlier stage cannot be put into the checkout."""

    code = "ARTIFACT_IN_THE_WAY"


def bring_artifacts(store: Opens, needed: Sequence[NeededArtifact], root: Path) -> None:
    """Write the artifacts into `root`, over files of the same path; raises ArtifactInTheWay, or as `open` does."""
    for artifact in needed:
        try:
            _write(store, artifact, root)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ArtifactInTheWay(f"The artifact {artifact.path!r} cannot be put here: {reason}.") from error


def _write(store: Opens, artifact: NeededArtifact, root: Path) -> None:
    path = PurePosixPath(artifact.path)
    if path.is_absolute() or ".." in path.parts:
        raise ArtifactInTheWay(f"The path of the artifact {artifact.path!r} leads out of the checkout.")
    with ExitStack() as opened:
        folder = enter_folders(opened, root, path.parts[:-1])
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        target = opened.enter_context(os.fdopen(os.open(path.name, NEW_FILE, MODE, dir_fd=folder), "wb"))
        shutil.copyfileobj(opened.enter_context(store.open(artifact.key)), target, 1024 * 1024)


def enter_folders(opened: ExitStack, root: Path, parts: Sequence[str]) -> int:
    """Return the descriptor of a folder below `root`, made where it is missing; raises OSError at a link."""
    folder = _open(opened, str(root), None)
    for part in parts:
        folder = _enter(opened, part, folder)
    return folder


def _enter(opened: ExitStack, part: str, folder: int) -> int:
    with suppress(FileExistsError):
        os.mkdir(part, MODE, dir_fd=folder)
    return _open(opened, part, folder)


def _open(opened: ExitStack, part: str, folder: int | None) -> int:
    descriptor = os.open(part, FOLDER, dir_fd=folder)
    opened.callback(os.close, descriptor)
    return descriptor
