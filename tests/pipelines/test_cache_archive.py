"""Archives of caches: what goes in comes out, and nothing gets past the checkout's edge."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tasks.pipelines import cache_archive
from tasks.pipelines.cache_archive import CacheRefused, pack, unpack

MUCH = 1024 * 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def fine() -> None:
    """Go on."""


def packed(root: Path, archive: Path, *globs: str, most_bytes: int = MUCH) -> int:
    with archive.open("wb") as into:
        return pack(root, globs, into, most_bytes=most_bytes, check=fine).files


def unpacked(archive: Path, into: Path, most_bytes: int = MUCH) -> list[str]:
    into.mkdir(exist_ok=True)
    unpack(archive, into, most_bytes=most_bytes, check=fine)
    return sorted(str(path.relative_to(into)) for path in into.rglob("*") if not path.is_dir() or path.is_symlink())


def member(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    content = fields.pop("content", b"x")
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def make(archive: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    with tarfile.open(archive, "w:gz") as made:
        for info, content in members:
            made.addfile(info, io.BytesIO(content) if info.isreg() else None)


def test_files_links_and_modes_come_back(root: Path, archive: Path) -> None:
    (root / "bin").mkdir()
    (root / "bin/tool").write_bytes(b"#!/bin/sh\n")
    (root / "bin/tool").chmod(0o4777)
    (root / "lib/größe").mkdir(parents=True)
    (root / "lib/größe/a").write_bytes(b"content" * 1000)
    (root / "lib/link").symlink_to("größe")
    (root / "other").write_bytes(b"not asked for")
    assert packed(root, archive, "bin", "lib/**", "lib") == 3
    out = root.parent / "out"
    assert unpacked(archive, out) == ["bin/tool", "lib/größe/a", "lib/link"]
    assert (out / "bin/tool").stat().st_mode & 0o7777 == 0o755
    assert os.readlink(out / "lib/link") == "größe"
    assert (out / "lib/größe/a").read_bytes() == b"content" * 1000


def test_what_leads_out_of_the_checkout_is_left_out(root: Path, archive: Path) -> None:
    (root / "a").mkdir()
    (root.parent / "outside").write_bytes(b"outside")
    (root / "a/absolute").symlink_to("/etc/passwd")
    (root / "a/relative").symlink_to("../../outside")
    (root / "a/device").symlink_to("/dev/zero")
    (root / "a/fine").symlink_to("../b")
    (root / "elsewhere").symlink_to("..")
    os.mkfifo(root / "a/pipe")
    (root / ".git").mkdir()
    (root / ".git/config").write_bytes(b"x")
    assert packed(root, archive, "a", "elsewhere/outside", "../outside", "/etc/passwd", ".git", "**") == 1
    assert unpacked(archive, root.parent / "out") == ["a/fine"]


def test_a_cache_that_is_too_large_is_not_made(root: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a").write_bytes(bytes(1001))
    with pytest.raises(CacheRefused, match="more than 1,000 bytes"):
        packed(root, archive, "a", most_bytes=1000)
    (root / "b").write_bytes(b"")
    monkeypatch.setattr(cache_archive, "MOST_FILES", 1)
    with pytest.raises(CacheRefused, match="more than 1 files"):
        packed(root, archive, "*")


@pytest.mark.parametrize(
    "bad",
    [
        member("../escaped"),
        member("/tmp/escaped"),
        member("a/../../escaped"),
        member(".git/hooks/post-checkout"),
        member("x/.git/config"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc"),
        member("link", type=tarfile.SYMTYPE, linkname="../escaped"),
        member("a/link", type=tarfile.SYMTYPE, linkname="b/../../../escaped"),
        member("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("pipe", type=tarfile.FIFOTYPE),
        member("device", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
        member("folder", type=tarfile.DIRTYPE),
        member("n" * 5000),
    ],
)
def test_a_bad_member_is_refused_before_anything_is_written(
    archive: Path, root: Path, bad: tuple[tarfile.TarInfo, bytes]
) -> None:
    make(archive, member("good"), bad)
    with pytest.raises(CacheRefused):
        unpacked(archive, root)
    assert list(root.iterdir()) == []
    assert not (root.parent / "escaped").exists()


def test_nothing_is_written_through_a_link(archive: Path, root: Path) -> None:
    outside = root.parent / "outside"
    outside.mkdir()
    (root / "folder").symlink_to(outside)
    make(archive, member("folder/file"))
    with pytest.raises(OSError):  # noqa: PT011 - which one is the system's affair
        unpacked(archive, root)
    make(archive, member("inner", type=tarfile.SYMTYPE, linkname="folder"), member("inner/file"))
    with pytest.raises(OSError):  # noqa: PT011
        unpacked(archive, root)
    assert list(outside.iterdir()) == []


def test_a_file_takes_the_place_of_a_link_and_not_of_what_it_leads_to(archive: Path, root: Path) -> None:
    outside = root.parent / "outside"
    outside.write_bytes(b"mine")
    (root / "file").symlink_to(outside)
    make(archive, member("file", content=b"new"))
    assert unpacked(archive, root) == ["file"]
    assert ((root / "file").read_bytes(), outside.read_bytes()) == (b"new", b"mine")


def test_a_bomb_is_refused_before_anything_is_written(archive: Path, root: Path) -> None:
    make(archive, member("bomb", content=bytes(50 * MUCH)))
    assert archive.stat().st_size < MUCH
    with pytest.raises(CacheRefused, match="more than 1,048,576 bytes"):
        unpacked(archive, root)
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "flipped", "no archive", "empty"])
def test_a_damaged_archive_is_refused(archive: Path, root: Path, damage: str) -> None:
    make(archive, member("file", content=os.urandom(100_000)))
    whole = archive.read_bytes()
    flipped = whole[:50_000] + bytes([whole[50_000] ^ 255]) + whole[50_001:]
    archive.write_bytes({"cut": whole[:-500], "flipped": flipped, "no archive": b"x" * 1000, "empty": b""}[damage])
    with pytest.raises(CacheRefused):
        unpacked(archive, root)
    assert list(root.iterdir()) == []
