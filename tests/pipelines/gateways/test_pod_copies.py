"""What comes back from a pod: archives that may be hostile, and what is told of a step among its output."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tasks.pipelines.gateways.containers.kubernetes.archive import WorkspaceRefused, pack, unpack
from tasks.pipelines.gateways.containers.kubernetes.entry import Report, given
from tasks.pipelines.gateways.sandbox import Limits


def archive_of(*members: tuple[str, bytes, str]) -> io.BytesIO:
    """An archive of members: name, type, and what it links to."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mode = kind, link, 0o777
            member.size = 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"evil"))
    whole.seek(0)
    return whole


@pytest.mark.parametrize(
    "members",
    [
        [("../out", tarfile.REGTYPE, "")],
        [("/out", tarfile.REGTYPE, "")],
        [("a/../../out", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, ".."), ("link/out", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, "../out"), ("link", tarfile.REGTYPE, "")],
        [("link", tarfile.SYMTYPE, "../kept"), ("hard", tarfile.LNKTYPE, "link/../../kept")],
        [("out", tarfile.LNKTYPE, "../kept")],
        [("a", tarfile.REGTYPE, ""), ("a/b", tarfile.REGTYPE, "")],
    ],
)
def test_an_archive_that_leads_out_is_refused(tmp_path: Path, members: list[tuple[str, bytes, str]]) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(WorkspaceRefused):
        unpack(archive_of(*members), root, most_bytes=1000, check=lambda: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "root"]
    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / "kept").stat().st_nlink == 1


def test_an_archive_may_not_be_larger_than_the_disk(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceRefused, match="larger"):
        unpack(archive_of(("a", tarfile.REGTYPE, "")), tmp_path, most_bytes=3, check=lambda: None)
    with pytest.raises(WorkspaceRefused, match="damaged"):
        unpack(io.BytesIO(b"x" * 2000), tmp_path, most_bytes=3000, check=lambda: None)


def test_devices_and_pipes_are_left_out(tmp_path: Path) -> None:
    members = [("pipe", tarfile.FIFOTYPE, ""), ("device", tarfile.CHRTYPE, ""), ("file", tarfile.REGTYPE, "")]
    unpack(archive_of(*members), tmp_path, most_bytes=1000, check=lambda: None)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_workspace_is_packed_as_it_is(tmp_path: Path) -> None:
    root, copy = tmp_path / "root", tmp_path / "copy"
    (root / "a/empty").mkdir(parents=True)
    copy.mkdir()
    (root / "a" / ("long" * 60)).write_bytes(bytes(range(256)))
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("a/empty")
    with (tmp_path / "archive").open("w+b") as archive:
        assert pack(root, archive, lambda: None) == (tmp_path / "archive").stat().st_size
        archive.seek(0)
        unpack(archive, copy, most_bytes=10_000, check=lambda: None)
    assert (copy / "a" / ("long" * 60)).read_bytes() == bytes(range(256))
    assert (copy / "run").stat().st_mode & 0o777 == 0o755
    assert (copy / "link").readlink() == Path("a/empty")
    assert (copy / "a/empty").is_dir()


def test_what_is_told_of_a_step_is_taken_out_of_its_output_wherever_it_is_cut() -> None:
    whole = b"before MARK-b\nown MARK-xyzlines\nMARK-e\nlast MARK-u 10 2000 0 1\nMARK"
    for size in (1, 2, 3, 7, 100):
        report = Report("MARK-")
        own = b"".join(report.take(whole[at : at + size]) for at in range(0, len(whole), size)) + report.rest()
        assert own == b"before own last MARK", size
        assert report.began is not None
        assert report.ended is not None
        assert report.used is not None
        assert (report.used.peak_memory_bytes, report.used.cpu_seconds, report.used.disk_full) == (10, 0.002, True)


def test_a_mark_without_an_end_is_not_held_for_ever() -> None:
    report = Report("MARK-")
    report.take(b"MARK-" + b"x" * 10_000)
    assert report.take(b"\nnext") == b"\nnext"


def test_what_a_step_is_given_is_as_long_as_it_says() -> None:
    raw = given(
        "MARK-", "a b", {"A": "it's\n$(x) ü", "UID": "0"}, "echo ü\n", Limits(1, file_bytes=100, disk_bytes=4096)
    )
    mark, bounds, sizes, directory, rest = raw.split(b"\n", 4)
    variables, whole = map(int, sizes.split())
    assert (mark, bounds, directory, whole) == (b"MARK-", b"0 1 4", b"a b", len(rest))
    assert rest[:variables].decode() == "export A='it'\\''s\n$(x) ü'\n"
    assert rest[variables:].decode() == "echo ü\n"
