"""The image of the tests: empty but for links to this machine's own programs, which are mounted when it runs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

IMAGE = "headrace-test:latest"
VOLUME = "/data"
"""A folder that real engines are told the image wants a volume at."""
FOLDERS = ("usr", "etc", "tmp", "var/tmp", "proc", "dev", "sys/fs/cgroup/memory", "sys/fs/cgroup/cpuacct", "home")
PROGRAMS = Path("/usr")
"""What an engine has to mount for the image to have programs."""


def links() -> dict[str, str]:
    """The links at the top that lead to the programs, as this machine has them."""
    names = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
    return {name: os.readlink(f"/{name}") for name in names if os.path.islink(f"/{name}")}


def make_root(root: Path) -> None:
    """Make the image's files in a folder."""
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, target in links().items():
        (root / name).symlink_to(target)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")


def make_small_root(root: Path) -> None:
    """Make the files of an image that has busybox alone in `/bin`: no bash, and none of GNU's tools."""
    make_root(root)
    (root / "bin").unlink()
    (root / "bin").mkdir()
    shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
    listed = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in set(listed) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")


def image_tar() -> bytes:
    """Return the image's files as a tar archive."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for folder in FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777 if folder in ("tmp", "var/tmp") else 0o755
            archive.addfile(entry)
        for name, target in links().items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
        passwd = b"root:x:0:0::/root:/bin/sh\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(passwd)
        archive.addfile(entry, io.BytesIO(passwd))
    return whole.getvalue()
