"""Nothing a repository or its surroundings bring is run or followed, and nothing of the worker's reaches git."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.tenancy import RepositoryRules
from tasks.pipelines.gateways.base import FileNotInRepository, RepositoryRefused, ResolveRequest
from tasks.pipelines.gateways.git import GitSource, addresses
from tasks.pipelines.gateways.git.bounds import Bounds
from tasks.pipelines.gateways.git.configuration import make_environment, write_configuration
from tasks.pipelines.gateways.git.process import Git, GitFailed
from tests.support.checkouts import MEBIBYTE, go_on, read_file, request_of
from tests.support.git_server import GitServer
from tests.support.repositories import Repository


def write_program(path: Path, trace: Path) -> None:
    """Write a program that leaves a trace when it is run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\ntouch {trace}\ncat\n")
    path.chmod(0o755)


def git_at(home: Path, protocol: str, pins: Sequence[str] = ()) -> Git:
    """Return git with this home, below the checks of addresses."""
    write_configuration(home, pins=pins, credentials=None)
    bounds = Bounds(seconds=10, max_bytes=MEBIBYTE, folders=[home], check=go_on)
    return Git(home, make_environment(home, [protocol], None), bounds)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file that appears when something hostile is run."""
    return tmp_path / "trace"


def test_hooks_of_the_repository_do_not_run(
    source: GitSource, repository: Repository, url: str, into: Path, trace: Path
) -> None:
    for hook in ("post-checkout", "post-update", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
        write_program(repository.path / "hooks" / hook, trace)
        write_program(repository.path / ".git/hooks" / hook, trace.with_suffix(".served"))
    repository.commit()
    trace.with_suffix(".served").unlink(missing_ok=True)
    source.checkout(request_of(url, into), go_on)
    assert not trace.exists()
    assert not trace.with_suffix(".served").exists()
    assert not (into / ".git/hooks").exists()


def test_a_folder_that_holds_something_is_not_checked_out_into(
    source: GitSource, repository: Repository, into: Path, trace: Path
) -> None:
    repository.commit()
    write_program(into / ".git/hooks/post-checkout", trace)
    with pytest.raises(ValueError, match="not empty"):
        source.checkout(request_of(repository.url, into), go_on)


def test_filters_of_the_repository_do_not_run(
    source: GitSource, repository: Repository, into: Path, trace: Path
) -> None:
    repository.commit({".gitattributes": "* filter=lfs diff=evil text merge=evil\n", "file": "as it is\n"})
    for key in ("filter.lfs.smudge", "filter.lfs.process", "diff.evil.command", "core.fsmonitor", "core.sshCommand"):
        repository.git("config", key, f"touch {trace}")
    source.checkout(request_of(repository.url, into), go_on)
    assert (into / "file").read_text() == "as it is\n"
    assert not trace.exists()


@pytest.mark.parametrize("address", ["file:///x", "ssh://127.0.0.1:1/x", "git://127.0.0.1:1/x", "ext::true"])
def test_git_itself_speaks_the_one_protocol_it_was_started_for(address: str, tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match=r"transport '.*' not allowed"):
        git_at(tmp_path, "http").run("ls-remote", "--", address)


def test_submodules_are_left_alone(source: GitSource, repository: Repository, tmp_path: Path, into: Path) -> None:
    inner = Repository(tmp_path / "inner")
    commit = inner.commit({"file": "of the submodule"})
    repository.commit({".gitmodules": f'[submodule "inner"]\n\tpath = inner\n\turl = {inner.url}\n', "file": "text"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},inner")
    repository.git("commit", "--quiet", "--message", "A submodule")
    source.checkout(request_of(repository.url, into), go_on)
    assert list((into / "inner").iterdir()) == []


@pytest.mark.parametrize("url", ["-u./payload", "ext::sh -c payload"])
def test_a_submodule_that_hides_an_option_is_refused(
    source: GitSource, repository: Repository, into: Path, url: str
) -> None:
    repository.commit({".gitmodules": f'[submodule "x"]\n\tpath = x\n\turl = "{url}"\n'})
    if url.startswith("-"):
        with pytest.raises(RepositoryRefused, match="what git refuses"):
            source.checkout(request_of(repository.url, into), go_on)
    else:
        source.checkout(request_of(repository.url, into), go_on)
    assert not (into / "x").exists()


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b".", b"git~1"])
def test_a_tree_that_would_write_outside_or_into_the_repository_itself_is_refused(
    source: GitSource, repository: Repository, into: Path, name: bytes
) -> None:
    blob = repository.blob(b"[core]\n\tfsmonitor = payload\n")
    inner = repository.git("mktree", "-z", given=b"100644 blob " + blob.encode() + b"\tconfig\0")
    repository.commit_tree(b"040000 tree " + inner.encode() + b"\t" + name + b"\0")
    with pytest.raises(RepositoryRefused, match="what git refuses"):
        source.checkout(request_of(repository.url, into), go_on)
    assert "payload" not in (into / ".git/config").read_text()


def test_symbolic_links_are_written_and_not_followed(
    source: GitSource, repository: Repository, tmp_path: Path, into: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repository.path / "out").symlink_to(outside)
    (repository.path / "passwords").symlink_to("/etc/passwd")
    repository.commit()
    source.checkout(request_of(repository.url, into), go_on)
    assert os.readlink(into / "out") == str(outside)
    assert stat.S_ISLNK((into / "passwords").lstat().st_mode)
    assert list(outside.iterdir()) == []


def test_a_link_and_a_folder_of_one_name_do_not_write_through_the_link(
    source: GitSource, repository: Repository, tmp_path: Path, into: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    link, blob = repository.blob(str(outside).encode()), repository.blob(b"payload")
    inner = repository.git("mktree", "-z", given=b"100644 blob " + blob.encode() + b"\tfile\0")
    entries = [b"120000 blob " + link.encode(), b"040000 tree " + inner.encode()]
    repository.commit_tree(b"".join(entry + b"\tname\0" for entry in entries))
    with pytest.raises(RepositoryRefused, match="what git refuses"):
        source.checkout(request_of(repository.url, into), go_on)
    assert list(outside.iterdir()) == []


def test_a_link_is_not_read_as_a_file(source: GitSource, repository: Repository, into: Path) -> None:
    (repository.path / "headrace.yml").symlink_to("/etc/passwd")
    repository.commit()
    with pytest.raises(FileNotInRepository):
        read_file(source, request_of(repository.url, into), "headrace.yml")


def test_old_and_harmless_faults_of_a_history_are_taken(source: GitSource, repository: Repository, into: Path) -> None:
    repository.commit({"file": "text"})
    tree = repository.git("rev-parse", "HEAD^{tree}")
    odd = f"tree {tree}\nauthor Alice<alice@example.com> 1 +051800\ncommitter Alice <> 0001 +0000\n\nOdd\n"
    commit = repository.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", given=odd.encode())
    repository.git("update-ref", "refs/heads/main", commit)
    assert source.checkout(request_of(repository.url, into), go_on).commit_sha == commit


def test_the_environment_of_the_worker_does_not_reach_git(
    source: GitSource,
    repository: Repository,
    server: GitServer,
    into: Path,
    trace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_program(tmp_path / "home/hooks/post-checkout", trace)
    (tmp_path / "home/.gitconfig").write_text(
        f"[core]\n\thooksPath = {tmp_path}/home/hooks\n[http]\n\tproxy = 127.0.0.1:1\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor=touch {trace}'")
    monkeypatch.setenv("GIT_TRACE", str(trace))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    repository.commit()
    source.checkout(request_of(server.url(repository.name), into), go_on)
    assert not trace.exists()


def test_a_repository_above_the_temporary_folder_configures_nothing(
    source: GitSource, repository: Repository, tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit()
    above = Repository(tmp_path / "above")
    above.git("config", f"url.file://{tmp_path}/elsewhere.insteadOf", repository.url)
    monkeypatch.setattr("tempfile.tempdir", str(above.path))
    source.resolve(ResolveRequest(repository.url, branch="main"), go_on)
    assert [path.name for path in above.path.iterdir()] == [".git"]


def test_a_host_leads_only_to_the_addresses_that_were_checked(
    repository: Repository, server: GitServer, tmp_path: Path
) -> None:
    commit = repository.commit()
    git = git_at(tmp_path, "http", pins=[f"example.invalid:{server.port}:127.0.0.1"])
    listed = git.run("ls-remote", "--", server.url(repository.name, "example.invalid"), "HEAD")
    assert listed.decode().startswith(commit)


def test_a_host_is_refused_when_one_of_its_addresses_is_private(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"mixed.example": ["8.8.8.8", "10.0.0.1"], "public.example.": ["8.8.8.8", "2001:4860:4860::8888"]}
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda host, port, **_: [(0, 0, 0, "", (ip, port)) for ip in answers[host]]
    )
    bounds = Bounds(seconds=10, max_bytes=0, folders=[], check=go_on)
    with pytest.raises(RepositoryRefused, match=r"mixed\.example is on a private network"):
        addresses.find_route("https://mixed.example/x", RepositoryRules(), bounds)
    route = addresses.find_route("https://public.example./x", RepositoryRules(), bounds)
    pinned = "443:8.8.8.8,[2001:4860:4860::8888]"
    assert set(route.pins) == {f"public.example:{pinned}", f"public.example.:{pinned}"}
