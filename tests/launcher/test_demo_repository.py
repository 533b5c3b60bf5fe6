"""Which repository, branch and definition the demo takes, on real repositories of git."""

import subprocess
from pathlib import Path

import pytest

from launcher.demo.repository import RepositoryUnusable, find_source

PIPELINE = "name: demo\n"


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "a shop"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    (folder / "headrace.yml").write_text(PIPELINE)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def test_a_path_gives_the_branch_that_is_checked_out(repository: Path) -> None:
    source = find_source(str(repository), "")
    assert (source.name, source.branch, source.remarks) == ("a shop", "trunk", [])
    assert source.url == f"file://{str(repository).replace(' ', '%20')}"
    assert source.commit == git(repository, "rev-parse", "HEAD")
    assert source.definition == PIPELINE.encode()


def test_a_folder_inside_stands_for_the_repository(repository: Path) -> None:
    (repository / "inside").mkdir()
    assert find_source(str(repository / "inside"), "").url == find_source(str(repository), "").url


def test_the_definition_is_the_one_of_the_branch_asked_for(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--create", "other")
    (repository / "headrace.yml").write_text("name: other\n")
    git(repository, "commit", "--quiet", "--all", "--message=other")
    git(repository, "switch", "--quiet", "trunk")
    assert find_source(str(repository), "other").definition == b"name: other\n"
    assert find_source(str(repository), "").definition == PIPELINE.encode()


def test_uncommitted_changes_are_not_part_of_the_run_and_that_is_said(repository: Path) -> None:
    (repository / "headrace.yml").write_text("name: half done\n")
    source = find_source(str(repository), "")
    assert source.definition == PIPELINE.encode()
    assert "uncommitted changes" in source.remarks[0]


def test_without_a_branch_the_commit_is_run(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--detach")
    source = find_source(str(repository), "")
    assert (source.branch, source.commit) == ("", git(repository, "rev-parse", "HEAD"))
    assert source.commit[:12] in source.remarks[0]


def test_a_bare_repository_is_as_good(repository: Path) -> None:
    git(repository.parent, "clone", "--quiet", "--bare", str(repository), "bare.git")
    source = find_source(str(repository.parent / "bare.git"), "")
    assert (source.branch, source.definition) == ("trunk", PIPELINE.encode())


def test_an_address_is_asked_for_its_own_branch(repository: Path) -> None:
    address = f"file://{str(repository).replace(' ', '%20')}"
    source = find_source(address, "")
    assert (source.url, source.branch, source.definition) == (address, "trunk", PIPELINE.encode())


def test_a_hook_of_another_repository_does_not_lead_astray(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository.parent / "elsewhere"))
    assert find_source(str(repository), "").branch == "trunk"


def test_each_thing_that_is_missing_has_its_line(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    cases = {
        ("nowhere at all", ""): "neither a folder nor an address",
        (str(tmp_path / "plain"), ""): "not a git repository",
        (str(tmp_path / "empty"), ""): "no commit yet",
        (str(repository), "absent"): "has no branch absent",
        (f"file://{tmp_path}/gone", ""): "git clone failed",
    }
    for (path, branch), reason in cases.items():
        with pytest.raises(RepositoryUnusable, match=reason) as refusal:
            find_source(path, branch)
        assert "\n" not in str(refusal.value)


def test_a_definition_that_is_not_committed_is_told_from_one_that_is_not_there(repository: Path) -> None:
    git(repository, "rm", "--quiet", "--cached", "headrace.yml")
    git(repository, "commit", "--quiet", "--message=gone")
    with pytest.raises(RepositoryUnusable, match="there, but not committed"):
        find_source(str(repository), "")
    (repository / "headrace.yml").unlink()
    with pytest.raises(RepositoryUnusable, match=r"has no headrace\.yml in commit [0-9a-f]{12}$"):
        find_source(str(repository), "")
