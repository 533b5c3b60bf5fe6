"""PostgreSQL refuses to run as root; as root it is run as nobody, without touching a folder or user of the system."""

import functools
import os
import stat
import subprocess
from pathlib import Path

from launcher.processes import LaunchError

NOBODY = 65534


def command(words: list[str]) -> list[str]:
    """`words` in a form that may be run as root; as an ordinary user they stay as they are.

    A user namespace where the kernel allows one: the files stay root's and folders closed to others stay closed.
    Else nobody itself, which needs every folder on the way to be open to it.
    """
    if os.geteuid() != 0:
        return words
    if _has_user_namespaces():
        return [*_UNSHARE, *words]
    if subprocess.run([*_AS_NOBODY, "test", "-x", words[0]], check=False).returncode:
        raise LaunchError(
            f"PostgreSQL does not run as root and user nobody cannot reach {words[0]}: "
            "start as an ordinary user, or set DATABASE_URL"
        )
    return [*_AS_NOBODY, *words]


def own(folder: Path) -> None:
    """Gives a folder and all in it to the user that `command` will run as, when the owner is another one.

    Raises LaunchError when that user cannot reach the folder.
    """
    if os.geteuid() != 0:
        return
    owner = 0 if _has_user_namespaces() else NOBODY
    if owner == NOBODY:
        _open_way_to(folder)
    if folder.stat().st_uid != owner:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)


def _open_way_to(folder: Path) -> None:
    # Passing through, not reading, and no further up than the parent, which is the launcher's own.
    folder.parent.chmod(folder.parent.stat().st_mode | stat.S_IXOTH)
    if subprocess.run([*_AS_NOBODY, "test", "-x", str(folder.parent)], check=False).returncode:
        raise LaunchError(
            f"PostgreSQL does not run as root and user nobody cannot reach {folder}: "
            "start as an ordinary user, or set DATABASE_URL"
        )


_UNSHARE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--")
_AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


@functools.cache
def _has_user_namespaces() -> bool:
    try:
        return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
