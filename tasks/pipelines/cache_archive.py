"""Archives of caches: what globs match, in one compressed tar.

An archive may come from a store that others can write, and it is unpacked into a checkout that is hostile. So every
member is looked at before any is written; then each part of a path is opened without following links, and nothing is
written through one. Python's own filters are not relied on: some of its versions let links lead them astray.
"""

from __future__ import annotations

import gzip
import os
import posixpath
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from tasks.pipelines.artifacts import names_matching
from tasks.pipelines.bring_artifacts import NEW_FILE, enter_folders

MOST_FILES = 500_000
LONGEST_PATH = 4096
LEVEL = 1
MOST_PADDING = 1024 * 1024
HISTORY = ".git"


class CacheRefused(Exception):
    """A cache can be neither made nor unpacked; the message says why."""


@dataclass(frozen=True, slots=True)
class Packed:
    """What an archive holds: files and links, and their bytes before compression."""

    files: int
    bytes: int


def pack(root: Path, globs: Sequence[str], into: IO[bytes], *, most_bytes: int, check: Callable[[], None]) -> Packed:
    """Write what the globs match below `root`; links that lead out of it are left out. Raises CacheRefused or OSError.

    `check` is called between files, and may raise.
    """
    files = total = 0
    with tarfile.open(fileobj=into, mode="w:gz", compresslevel=LEVEL, format=tarfile.PAX_FORMAT) as archive:
        for name in _unique(names_matching(root.resolve(), globs)):
            check()
            member = _member(root, name)
            if member is None:
                continue
            files, total = files + 1, total + member.size
            _bound(files, total, most_bytes)
            if member.issym():
                archive.addfile(member)
            else:
                with (root / name).open("rb") as source:
                    archive.addfile(member, source)
    return Packed(files, total)


def unpack(archive: Path, root: Path, *, most_bytes: int, check: Callable[[], None]) -> Packed:
    """Write an archive's files below `root`, in the place of what is there; raises CacheRefused or OSError.

    Nothing is written when any member is refused: a path or a link that leads out, a device, too much of anything.
    """
    files = total = 0
    for _, member in _members(archive):
        check()
        _check_member(member)
        files, total = files + 1, total + member.size
        _bound(files, total, most_bytes)
    for opened, member in _members(archive):
        check()
        _write(opened, member, root)
    return Packed(files, total)


def _unique(names: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name not in seen:
            seen.add(name)
            yield name


def _bound(files: int, total: int, most_bytes: int) -> None:
    if files > MOST_FILES:
        raise CacheRefused(f"it has more than {MOST_FILES:,} files")
    if total > most_bytes:
        raise CacheRefused(f"it has more than {most_bytes:,} bytes")


def _member(root: Path, name: str) -> tarfile.TarInfo | None:
    path = root / name
    if HISTORY in PurePosixPath(name).parts:
        return None
    try:
        facts = path.lstat()
        member = tarfile.TarInfo(name)
        member.mtime = int(facts.st_mtime)
        if stat.S_ISLNK(facts.st_mode):
            member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
            return member if _stays(name, member.linkname) else None
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    member.size, member.mode = facts.st_size, 0o755 if facts.st_mode & 0o100 else 0o644
    return member


def _stays(name: str, target: str) -> bool:
    """Tell whether a link at `name` leads to a place within the folder that all names are of."""
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    return not target.startswith("/") and joined != ".." and not joined.startswith("../") and "\0" not in target


def _members(archive: Path) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    try:
        with gzip.open(archive) as source, tarfile.open(fileobj=source, mode="r|") as opened:
            for member in opened:
                yield opened, member
                opened.members.clear()  # type: ignore[attr-defined] # it keeps all it has read
            # The checksum is at the end of the stream, which lies behind the end of the archive.
            if len(source.read(MOST_PADDING + 1)) > MOST_PADDING:
                raise CacheRefused("its archive goes on after its end")
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, OverflowError) as error:
        raise CacheRefused(f"its archive is damaged ({type(error).__name__})") from error


def _check_member(member: tarfile.TarInfo) -> None:
    parts = PurePosixPath(member.name).parts
    if not parts or parts[0] == "/" or ".." in parts or HISTORY in parts or "\0" in member.name:
        raise CacheRefused(f"it holds the path {member.name[:100]!r}")
    if len(member.name) > LONGEST_PATH or member.size < 0:
        raise CacheRefused("it holds a path that is too long")
    if member.issym():
        if not _stays(member.name, member.linkname):
            raise CacheRefused(f"it holds a link to {member.linkname[:100]!r}")
    elif not member.isreg():
        raise CacheRefused(f"it holds {member.name[:100]!r}, which is neither a file nor a link")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    path = PurePosixPath(member.name)
    with ExitStack() as opened:
        folder = enter_folders(opened, root, path.parts[:-1])
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        if member.issym():
            os.symlink(member.linkname, path.name, dir_fd=folder)
            return
        source = archive.extractfile(member)
        if source is None:
            raise CacheRefused(f"its archive is damaged at {member.name[:100]!r}")
        mode = 0o755 if member.mode & 0o100 else 0o644
        target = opened.enter_context(os.fdopen(os.open(path.name, NEW_FILE, mode, dir_fd=folder), "wb"))
        shutil.copyfileobj(source, target, 1024 * 1024)
        target.flush()
        os.utime(target.fileno(), (member.mtime, member.mtime))
