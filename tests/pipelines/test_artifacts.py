"""Artifacts are the files that globs match in the workspace, and nothing from beyond it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tasks.pipelines.artifacts import ArtifactNameRefused, ArtifactsTooLarge, Found, collect

KIBIBYTE = 1024


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace."""
    path = tmp_path / "workspace"
    path.mkdir()
    return path


def write(root: Path, *names: str, content: bytes = b"content") -> None:
    """Write a file at each of these paths."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def names(root: Path, *globs: str) -> list[str]:
    """Return the names of what the globs match."""
    return [found.name for found in collect(root, globs, max_bytes=KIBIBYTE**2)]


def test_a_file_is_found_with_its_name_path_and_size(root: Path) -> None:
    write(root, "dist/app.whl")
    found = collect(root, ["dist/*.whl"], max_bytes=KIBIBYTE)
    assert found == [Found("dist/app.whl", root / "dist/app.whl", 7)]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.xml", ["a.xml"]),
        ("**/*.xml", ["a.xml", "deep/b.xml", "deep/er/c.xml"]),
        ("deep/**", ["deep/b.txt", "deep/b.xml", "deep/er/c.xml"]),
        ("deep", ["deep/b.txt", "deep/b.xml", "deep/er/c.xml"]),
        ("deep/", ["deep/b.txt", "deep/b.xml", "deep/er/c.xml"]),
        ("./deep/b.xml", ["deep/b.xml"]),
        ("deep/[ab].t?t", ["deep/b.txt"]),
        ("deep/*/c.xml", ["deep/er/c.xml"]),
        (".artifacts/**", [".artifacts/report"]),
        ("**/deep/**/c.xml", ["deep/er/c.xml"]),
        ("**/a.xml", ["a.xml"]),
        ("deep/**/", ["deep/b.txt", "deep/b.xml", "deep/er/c.xml"]),
        ("deep/b.xm[!x]", ["deep/b.xml"]),
        ("nothing/**", []),
        ("a.xml/**", []),
        ("**/b.xml/*", []),
    ],
)
def test_globs_take_what_they_say(root: Path, glob: str, expected: list[str]) -> None:
    write(root, "a.xml", "deep/b.xml", "deep/b.txt", "deep/er/c.xml", ".artifacts/report")
    assert names(root, glob) == expected


def test_a_dot_takes_the_whole_workspace_but_not_the_history(root: Path) -> None:
    write(root, "a", "b/c", ".hidden", ".git/config", "vendored/.git/config", "b/.gitignore")
    assert names(root, ".") == [".hidden", "a", "b/.gitignore", "b/c"]


@pytest.mark.parametrize("glob", [".git/config", ".git", ".git/**", ".git/*", "*/../.git/config", "**/config"])
def test_the_history_is_never_an_artifact(root: Path, glob: str) -> None:
    write(root, ".git/config", "vendored/.git/config")
    assert names(root, glob) == []


def test_files_are_named_once_and_in_order(root: Path) -> None:
    write(root, "b", "a", "c/d")
    assert names(root, "c/**", "b", "*", "**") == ["a", "b", "c/d"]


@pytest.mark.parametrize(
    "glob", ["../outside", "../**", "/etc/passwd", "/**", "x/../../outside", "", "..", "x\0y", "y" * 300, "/", "\ud800"]
)
def test_globs_do_not_reach_out_of_the_workspace(root: Path, glob: str) -> None:
    write(root, "x/file", "../outside")
    assert names(root, glob) in ([], ["x/file"])


def test_links_that_leave_the_workspace_are_passed_over(root: Path) -> None:
    write(root, "../outside/secret", ".git/config", "kept/file")
    (root / "kept/secret").symlink_to("/etc/passwd")
    (root / "kept/relative").symlink_to("../../outside/secret")
    (root / "kept/folder").symlink_to("../../outside")
    (root / "folder").symlink_to("../outside")
    (root / "kept/history").symlink_to("../.git/config")
    (root / "kept/dangling").symlink_to("nowhere")
    (root / "kept/loop").symlink_to("loop")
    (root / "system").symlink_to("/")
    for glob in ("**", "kept", "kept/secret", "folder/secret", "folder", "kept/loop", "system/etc/passwd"):
        assert set(names(root, glob)) <= {"kept/file"}
    assert names(root, "**") == ["kept/file"]


def test_a_link_to_a_file_of_the_workspace_counts_as_that_file(root: Path) -> None:
    write(root, "logs/today.log")
    (root / "latest.log").symlink_to("logs/today.log")
    assert collect(root, ["latest.log"], max_bytes=KIBIBYTE) == [Found("latest.log", root / "logs/today.log", 7)]
    assert names(root, "*.log") == ["latest.log"]


def test_a_workspace_reached_by_a_link_is_searched_all_the_same(root: Path) -> None:
    write(root, "folder/file")
    link = root.parent / "link"
    link.symlink_to(root)
    assert names(link, "folder/*") == ["folder/file"]


def test_only_regular_files_are_artifacts(root: Path) -> None:
    os.mkfifo(root / "pipe")
    write(root, "file")
    assert names(root, "*") == ["file"]
    assert names(root, "pipe") == []


def test_folders_closed_or_too_deep_to_name_are_passed_over(root: Path) -> None:
    write(root, "file")
    deep = os.open(root, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("n" * 200, dir_fd=deep)
        below = os.open("n" * 200, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(deep)
    assert names(root, "**") == ["file"]


def test_too_many_files_are_refused(root: Path) -> None:
    write(root, *(f"file{number}" for number in range(4)))
    assert len(collect(root, ["*"], max_bytes=KIBIBYTE, max_files=4)) == 4
    with pytest.raises(ArtifactsTooLarge, match="more than 3 files") as caught:
        collect(root, ["*"], max_bytes=KIBIBYTE, max_files=3)
    assert caught.value.code == "ARTIFACTS_TOO_LARGE"


def test_too_many_bytes_are_refused(root: Path) -> None:
    write(root, "a", "b", content=bytes(KIBIBYTE))
    assert len(collect(root, ["*", "a"], max_bytes=2 * KIBIBYTE)) == 2
    with pytest.raises(ArtifactsTooLarge, match="more than the 2,047 bytes"):
        collect(root, ["*"], max_bytes=2 * KIBIBYTE - 1)


def test_a_file_with_holes_counts_whole(root: Path) -> None:
    with (root / "holes").open("wb") as file:
        file.truncate(KIBIBYTE**4)
    with pytest.raises(ArtifactsTooLarge):
        collect(root, ["holes"], max_bytes=KIBIBYTE)


@pytest.mark.parametrize(
    "name", [b"line\nbreak", b"\x1b[31mred", b"not \xff utf-8", b"back\\slash", "é".encode() * 120]
)
def test_names_that_cannot_be_kept_are_refused(root: Path, name: bytes) -> None:
    folder = os.path.join(os.fsencode(root), *[b"f" * 200] * 4)
    os.makedirs(folder)
    with open(os.path.join(folder, name), "wb"):
        pass
    with pytest.raises(ArtifactNameRefused, match="too long or holds odd characters") as caught:
        collect(root, ["**"], max_bytes=KIBIBYTE)
    assert caught.value.message.isprintable()
    assert names(root, "*.txt") == []


def test_names_of_the_world_are_kept(root: Path) -> None:
    write(root, "größe 1 (neu) #2 ✓.txt", "日本/語.txt")
    assert names(root, "**") == ["größe 1 (neu) #2 ✓.txt", "日本/語.txt"]


def test_a_large_workspace_is_searched_quickly(root: Path) -> None:
    write(root, *(f"node_modules/package{number}/index.js" for number in range(3000)), "dist/app.css")
    began = time.process_time()
    assert names(root, *[f"dist/{number}*.js" for number in range(50)], "**/*.css") == ["dist/app.css"]
    assert time.process_time() - began < 0.7
