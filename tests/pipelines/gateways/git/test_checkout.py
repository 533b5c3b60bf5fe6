"""Commits are named and brought, by file and by http, by whatever a server has to offer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.pipelines.gateways.base import (
    CommitNotFound,
    FileNotInRepository,
    GitCredentials,
    ResolveRequest,
)
from tasks.pipelines.gateways.git import GitSource
from tests.support.checkouts import MEBIBYTE, go_on, read_file, request_of
from tests.support.git_server import GitServer
from tests.support.repositories import ENVIRONMENT, Repository


def git(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(["git", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_a_branch_is_checked_out_without_its_history(
    source: GitSource, repository: Repository, url: str, into: Path
) -> None:
    repository.commit({"file": "old"})
    commit = repository.commit({"file": "new", "folder/other": "more"}, "The title\n\nThe body")
    done = source.checkout(request_of(url, into), go_on)
    assert (done.commit_sha, done.branch) == (commit, "main")
    assert (done.message, done.author) == ("The title\n\nThe body", "Alice <alice@example.com>")
    assert (into / "file").read_text() == "new"
    assert (into / "folder/other").read_text() == "more"
    assert git(into, "rev-parse", "HEAD") == commit
    assert git(into, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert git(into, "rev-list", "--count", "HEAD") == "1"
    assert git(into, "status", "--porcelain") == ""
    assert git(into, "remote", "get-url", "origin") == url


def test_a_branch_with_slashes_and_letters_of_the_world_is_found(
    source: GitSource, repository: Repository, url: str, into: Path
) -> None:
    repository.commit({"file": "main"})
    repository.git("checkout", "--quiet", "-b", "feature/größe")
    commit = repository.commit({"file": "feature"})
    assert source.resolve(ResolveRequest(url, branch="feature/größe"), go_on) == commit
    source.checkout(request_of(url, into, "feature/größe"), go_on)
    assert (into / "file").read_text() == "feature"


def test_the_default_branch_is_what_head_says(source: GitSource, repository: Repository, url: str) -> None:
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "other")
    commit = repository.commit()
    assert source.resolve(ResolveRequest(url), go_on) == commit


def test_a_branch_is_not_taken_for_one_that_ends_like_it(source: GitSource, repository: Repository, url: str) -> None:
    commit = repository.commit()
    repository.git("branch", "fix")
    repository.git("checkout", "--quiet", "-b", "refs/heads/fix")
    repository.commit()
    assert source.resolve(ResolveRequest(url, branch="fix"), go_on) == commit


@pytest.mark.parametrize("options", [[], ["--annotate", "--message", "A release"]])
def test_a_tag_stands_for_its_commit(
    source: GitSource, repository: Repository, url: str, into: Path, options: list[str]
) -> None:
    commit = repository.commit({"file": "released"})
    repository.git("tag", *options, "v1.0")
    repository.commit({"file": "newer"})
    assert source.resolve(ResolveRequest(url, tag="v1.0"), go_on) == commit
    assert source.checkout(request_of(url, into, None, tag="v1.0"), go_on).commit_sha == commit
    assert (into / "file").read_text() == "released"


def test_a_commit_that_is_no_tip_is_brought_alone(
    source: GitSource, repository: Repository, url: str, into: Path
) -> None:
    repository.commit()
    commit = repository.commit({"file": "wanted"})
    repository.commit({"file": "newer"})
    done = source.checkout(request_of(url, into, commit_sha=commit.upper()), go_on)
    assert done.commit_sha == commit
    assert (into / "file").read_text() == "wanted"
    assert git(into, "rev-list", "--count", "HEAD") == "1"


@pytest.mark.parametrize("branch", ["main", "gone", None])
def test_a_server_that_gives_no_bare_commits_is_asked_for_more(
    source: GitSource, repository: Repository, server: GitServer, into: Path, branch: str | None
) -> None:
    commit = repository.commit({"file": "wanted"})
    for _ in range(3):
        repository.commit()
    server.speaks_version_2 = False
    source.checkout(request_of(server.url(repository.name), into, branch, commit_sha=commit), go_on)
    assert (into / "file").read_text() == "wanted"


def test_a_commit_beyond_the_newest_of_its_branch_is_found_in_the_whole_history(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    commit = repository.commit({"file": "wanted"})
    tree = repository.git("rev-parse", "HEAD^{tree}")
    tip = commit
    for number in range(60):
        tip = repository.git("commit-tree", "-p", tip, "-m", str(number), tree)
    repository.git("update-ref", "refs/heads/main", tip)
    server.speaks_version_2 = False
    source.checkout(request_of(server.url(repository.name), into, commit_sha=commit), go_on)
    assert git(into, "rev-parse", "HEAD") == commit


def test_a_server_of_plain_files_is_read_whole(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    commit = repository.commit({"file": "wanted"})
    repository.git("update-server-info")
    server.speaks_smart = False
    done = source.checkout(request_of(server.url(f"{repository.name}/.git"), into), go_on)
    assert done.commit_sha == commit
    assert (into / "file").read_text() == "wanted"


def test_a_repository_of_longer_ids_is_checked_out(source: GitSource, tmp_path: Path, into: Path) -> None:
    repository = Repository(tmp_path / "sha256", object_format="sha256")
    commit = repository.commit({"file": "long"})
    assert len(commit) == 64
    assert source.checkout(request_of(repository.url, into), go_on).commit_sha == commit


def test_a_repository_of_another_owner_is_read(source: GitSource, repository: Repository, into: Path) -> None:
    commit = repository.commit()
    subprocess.run(["chown", "-R", "65534", str(repository.path)], check=False, capture_output=True)
    assert source.checkout(request_of(repository.url, into), go_on).commit_sha == commit


def test_a_password_opens_what_needs_one(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    commit = repository.commit({"file": "private"})
    server.login = ("alice", 'it\'s "a" $secret\\n %s ü')
    credentials = GitCredentials(*server.login)
    done = source.checkout(request_of(server.url(repository.name), into, credentials=credentials), go_on)
    assert done.commit_sha == commit
    written = [path.read_bytes() for path in (into / ".git").rglob("*") if path.is_file()]
    assert not any(b"secret" in content for content in written)


def test_one_file_is_read_without_a_checkout(source: GitSource, repository: Repository, url: str, into: Path) -> None:
    repository.commit({"headrace.yml": "name: one\n", "folder/[x]*": "odd"})
    assert read_file(source, request_of(url, into), "headrace.yml") == b"name: one\n"
    assert [path.name for path in into.iterdir()] == [".git"]


@pytest.mark.parametrize("path", ["folder/[x]*", ":(top)odd", ":odd", "-f", "größe"])
def test_a_path_is_read_as_it_is(source: GitSource, repository: Repository, into: Path, path: str) -> None:
    repository.commit({path: "odd"})
    assert read_file(source, request_of(repository.url, into), path) == b"odd"


@pytest.mark.parametrize(
    "path", ["missing", "folder", "folder/", "link", "../file", "/file", "large", "-f", "", ".", "a\0b"]
)
def test_what_is_not_a_small_regular_file_of_the_commit_is_not_read(
    source: GitSource, repository: Repository, into: Path, path: str
) -> None:
    (repository.path / "link").symlink_to("folder/file")
    repository.commit({"folder/file": "text", "large": b"x" * (MEBIBYTE + 1)})
    with pytest.raises(FileNotInRepository):
        read_file(source, request_of(repository.url, into), path)


def test_a_repository_without_commits_has_none(source: GitSource, repository: Repository) -> None:
    with pytest.raises(CommitNotFound, match="no commits yet"):
        source.resolve(ResolveRequest(repository.url), go_on)


def test_the_check_is_called_and_what_it_raises_passes_through(source: GitSource, repository: Repository) -> None:
    repository.commit()

    def call_off() -> None:
        raise InterruptedError("called off")

    with pytest.raises(InterruptedError, match="called off"):
        source.resolve(ResolveRequest(repository.url, branch="main"), call_off)


@pytest.fixture
def request_commits(repository: Repository) -> tuple[str, str]:
    """Two commits of pull request 1, which no branch has."""
    repository.commit({"file": "main"})
    repository.git("checkout", "--quiet", "-b", "theirs")
    first, second = repository.commit({"file": "first"}), repository.commit({"file": "second"})
    repository.git("update-ref", "refs/pull/1/head", second)
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "--quiet", "-D", "theirs")
    return first, second


@pytest.mark.parametrize("bare_commits", [True, False])
@pytest.mark.parametrize("place", [0, 1])
def test_a_pull_request_is_found_in_its_own_ref(
    source: GitSource,
    repository: Repository,
    server: GitServer,
    into: Path,
    request_commits: tuple[str, str],
    bare_commits: bool,
    place: int,
) -> None:
    server.speaks_version_2 = bare_commits
    wanted = {"commit_sha": request_commits[place], "ref": "refs/pull/1/head"}
    done = source.checkout(request_of(server.url(repository.name), into, "pull/1", **wanted), go_on)
    assert done.commit_sha == request_commits[place]
    assert (into / "file").read_text() == ("first", "second")[place]
    assert git(into, "rev-parse", "--abbrev-ref", "HEAD") == "pull/1"


def test_a_commit_far_back_in_a_pull_request_is_found(
    source: GitSource, repository: Repository, server: GitServer, into: Path, request_commits: tuple[str, str]
) -> None:
    tree, tip = repository.git("rev-parse", "HEAD^{tree}"), request_commits[1]
    for number in range(60):
        tip = repository.git("commit-tree", "-p", tip, "-m", str(number), tree)
    repository.git("update-ref", "refs/pull/1/head", tip)
    server.speaks_version_2 = False
    wanted = {"commit_sha": request_commits[0], "ref": "refs/pull/1/head"}
    source.checkout(request_of(server.url(repository.name), into, "pull/1", **wanted), go_on)
    assert (into / "file").read_text() == "first"


@pytest.mark.parametrize("ref", ["refs/pull/9/head", "--upload-pack=touch", "main", "refs/../x", "refs/heads/a b"])
def test_a_pull_request_that_is_gone_or_no_ref_is_refused(
    source: GitSource, repository: Repository, server: GitServer, into: Path, request_commits: tuple[str, str], ref: str
) -> None:
    server.speaks_version_2 = False
    wanted = {"commit_sha": request_commits[0], "ref": ref}
    with pytest.raises(CommitNotFound):
        source.checkout(request_of(server.url(repository.name), into, "pull/9", **wanted), go_on)
