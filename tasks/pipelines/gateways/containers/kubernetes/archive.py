"""A workspace as a tar archive: packed here for a pod, and unpacked from what a pod has made of it.

What comes back is hostile: each part of a path is opened without following links, and nothing is written through one.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Final

from app.kernel.errors import Permanent
from tasks.pipelines.bring_artifacts import NEW_FILE, enter_folders
from tasks.pipelines.gateways.sandbox import remove_tree

MOST_ENTRIES: Final = 1_000_000
LONGEST_PATH: Final = 4000
DEEPEST: Final = 200
_MODE: Final = 0o777
_PIECE: Final = 1024 * 1024


class WorkspaceRefused(Permanent):
    """The workspace cannot be brought back from its pod."""

    code = "WORKSPACE_REFUSED"


def pack(root: Path, into: IO[bytes], check: Callable[[], None]) -> int:
    """Write all that lies below `root` and return the archive's size; what is no file, folder or link is left out.

    `check` is called between entries, and may raise. The format is GNU's, which every tar understands.
    """
    with tarfile.open(fileobj=into, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in _below(root):
            check()
            member = _member(archive, path, path.relative_to(root))
            if member is None:
                continue
            if member.isreg():
                with path.open("rb") as source:
                    archive.addfile(member, source)
            else:
                archive.addfile(member)
    return into.tell()


def unpack(source: IO[bytes], root: Path, *, most_bytes: int, check: Callable[[], None]) -> None:
    """Put what an archive holds in the place of all that lies in `root`; raises WorkspaceRefused.

    What is nested deeper than paths can say, and what is no file, folder or link, is left out.
    """
    for entry in list(os.scandir(root)):
        remove_tree(Path(entry.path))
    modes: list[tuple[str, int]] = []
    try:
        _unpack(source, root, most_bytes, check, modes)
        for name, mode in reversed(modes):
            os.chmod(root / name, mode)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise WorkspaceRefused(f"The pod's archive is damaged ({type(error).__name__}).") from error
    except OSError as error:
        raise WorkspaceRefused(f"The pod's archive cannot be unpacked: {error.strerror}.") from error


def _below(root: Path) -> Iterator[Path]:
    waiting = [root]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # nested deeper than a path can say
        for entry in entries:
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))


def _member(archive: tarfile.TarFile, path: Path, name: Path) -> tarfile.TarInfo | None:
    try:
        member = archive.gettarinfo(path, str(name))
    except OSError:
        return None
    if member is None or not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    # Who unpacks it is an ordinary user, who has to be able to go on.
    member.mode = member.mode & _MODE | (0o700 if member.isdir() else 0o600)
    return member


def _unpack(
    source: IO[bytes], root: Path, most_bytes: int, check: Callable[[], None], modes: list[tuple[str, int]]
) -> None:
    entries = total = 0
    with tarfile.open(fileobj=source, mode="r|") as archive:
        for member in archive:
            check()
            archive.members.clear()  # type: ignore[attr-defined]  # it keeps all it has read
            entries, total = entries + 1, total + member.size
            if entries > MOST_ENTRIES or total > most_bytes:
                raise WorkspaceRefused("The workspace has become larger than it may be.")
            path = _path_of(member.name)
            if path is not None and path.parts:
                _write(archive, member, path, root)
                if member.isdir():
                    modes.append((str(path), member.mode & _MODE))


def _path_of(name: str) -> PurePosixPath | None:
    """The path of a member, None where it is too long; raises WorkspaceRefused for one that leads out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise WorkspaceRefused(f"The pod's archive holds the path {name[:100]!r}.")
    return None if len(name) > LONGEST_PATH or len(path.parts) > DEEPEST else path


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, root: Path) -> None:
    with ExitStack() as opened:
        folder = enter_folders(opened, root, path.parts[:-1])
        if member.isdir():
            enter_folders(opened, root, path.parts)
        elif member.issym():
            os.symlink(member.linkname, path.name, dir_fd=folder)
        elif member.islnk():
            _link(member.linkname, root, path.name, folder, opened)
        elif member.isreg():
            content = archive.extractfile(member)
            mode = member.mode & _MODE
            descriptor = os.open(path.name, NEW_FILE, mode | 0o200, dir_fd=folder)
            target = opened.enter_context(os.fdopen(descriptor, "wb"))
            if content is not None:
                shutil.copyfileobj(content, target, _PIECE)
            target.flush()
            os.fchmod(target.fileno(), mode)
            os.utime(target.fileno(), (member.mtime, member.mtime))


def _link(to: str, root: Path, name: str, folder: int, opened: ExitStack) -> None:
    """Another name of a file that was written before; never of one that a link leads to."""
    path = _path_of(to)
    if path is None or not path.parts:
        return
    there = enter_folders(opened, root, path.parts[:-1])
    if stat.S_ISREG(os.stat(path.name, dir_fd=there, follow_symlinks=False).st_mode):
        os.link(path.name, name, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)
