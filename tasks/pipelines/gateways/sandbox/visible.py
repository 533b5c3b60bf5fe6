"""What of the host a step in a namespace sees: its programs and libraries, and the few files they need to run."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

_SHARED_MEMORY_BYTES = 64 << 20
_LEAST_DESCRIPTOR = 10  # the launch uses the one-digit ones

# Of /etc only what programs need. /etc/ssl and /etc/pki as wholes were rejected: they hold private keys, and where the
# platform runs as root the step owns what root owns, without being able to write it. Files are copied into the
# namespace, as each mount costs a quarter of a millisecond.
_DIRECTORIES = ("alternatives", "crypto-policies", "fonts", "java-*", "pki/ca-trust", "pki/tls/certs", "ssl/certs")
_FILES = (
    *("gai.conf", "host.conf", "ld.so.cache", "ld.so.conf", "localtime", "mime.types", "nsswitch.conf", "os-release"),
    *("protocols", "services", "ssl/openssl.cnf", "timezone"),
)
_NAME_SERVICE_FILES = ("hosts", "resolv.conf")
_ACCOUNTS = {
    "/etc/passwd": (
        "root:x:0:0::/root:/bin/sh\nstep:x:1000:1000::/home/step:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
    ),
    "/etc/group": "root:x:0:\nstep:x:1000:\nnogroup:x:65534:\n",
}


@lru_cache
def system_mounts() -> tuple[str, ...]:
    """Options that mount programs, libraries, and kernel file systems of the step's own.

    /proc becomes read-only as a whole: bwrap leaves /proc/sys writable, which to a step of a platform that runs as
    root means the kernel settings of the host. /dev is read-only but for shared memory, else it is memory to fill.
    """
    mounts = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            mounts += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            mounts += ["--ro-bind", str(path), str(path)]
    for pattern in _DIRECTORIES:
        for place in sorted(Path("/etc").glob(pattern)):
            mounts += ["--ro-bind", os.path.realpath(place), str(place)]
    mounts += ["--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev"]
    return (*mounts, "--size", str(_SHARED_MEMORY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev")  # noqa: S108


def open_files(*, network: bool) -> dict[str, int]:
    """Descriptors of what is copied into the namespace, by the place where it goes."""
    names = (*_FILES, *_NAME_SERVICE_FILES) if network else _FILES
    files = {place: hold(text.encode()) for place, text in _ACCOUNTS.items()}
    for place in (f"/etc/{name}" for name in names):
        if os.path.isfile(place):
            files[place] = _high(os.open(place, os.O_RDONLY))
    return files


def copy_options(files: Mapping[str, int]) -> Iterator[str]:
    """Options that copy them."""
    for place, descriptor in files.items():
        yield from ("--perms", "0444", "--file", str(descriptor), place)


def read_only_options(paths: Iterable[str]) -> Iterator[str]:
    """Options that show directories at their own places."""
    for path in paths:
        yield from ("--ro-bind", path, path)


def hold(data: bytes) -> int:
    """A descriptor from which the data can be read: secrets must not show in a command line."""
    descriptor = os.memfd_create("step")
    while data:
        data = data[os.write(descriptor, data) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return _high(descriptor)


def _high(descriptor: int) -> int:
    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _LEAST_DESCRIPTOR)
    os.close(descriptor)
    return moved
