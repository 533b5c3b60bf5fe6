"""What cannot be checked out is refused with its code, in one clear line that holds no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.kernel.errors import HeadraceError
from tasks.pipelines.gateways.base import (
    BranchNotFound,
    CommitNotFound,
    GitCredentials,
    RepositoryAccessDenied,
    RepositoryNotFound,
    RepositoryRefused,
    RepositoryUnreachable,
    ResolveRequest,
    TagNotFound,
)
from tasks.pipelines.gateways.git import GitSource
from tasks.pipelines.gateways.git.faults import explain, redact
from tasks.pipelines.gateways.git.process import GitFailed
from tests.support.checkouts import go_on, request_of
from tests.support.git_server import GitServer, serving
from tests.support.repositories import Repository

MISSING = "0123456789" * 4


@pytest.fixture(autouse=True)
def _one_commit(repository: Repository) -> None:
    repository.commit({"file": "text"})


def refused(source: GitSource, url: str, into: Path, **more: object) -> HeadraceError:
    """Return the error of a checkout, of which something must hold for all."""
    with pytest.raises(HeadraceError) as caught:
        source.checkout(request_of(url, into, **more), go_on)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 500
    return caught.value


def test_a_branch_that_is_not_there_is_named(source: GitSource, url: str, into: Path) -> None:
    error = refused(source, url, into, branch="nowhere")
    assert isinstance(error, BranchNotFound)
    assert (error.code, error.message) == ("BRANCH_NOT_FOUND", "The repository has no branch 'nowhere'.")


def test_a_tag_that_is_not_there_is_named(source: GitSource, url: str, into: Path) -> None:
    error = refused(source, url, into, branch=None, tag="v9")
    assert isinstance(error, TagNotFound)
    assert "'v9'" in error.message


def test_a_commit_that_is_not_there_is_not_found(source: GitSource, url: str, into: Path) -> None:
    error = refused(source, url, into, commit_sha=MISSING)
    assert isinstance(error, CommitNotFound)
    assert MISSING in error.message


def test_a_commit_that_an_old_server_does_not_have_is_not_found(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    server.speaks_version_2 = False
    error = refused(source, server.url(repository.name), into, commit_sha=MISSING)
    assert isinstance(error, CommitNotFound)


@pytest.mark.parametrize("commit", ["HEAD", "main", "abc1234", "--all", MISSING + "0", ""])
def test_a_commit_is_named_by_its_full_id_alone(
    source: GitSource, repository: Repository, into: Path, commit: str
) -> None:
    assert isinstance(refused(source, repository.url, into, commit_sha=commit), CommitNotFound)


def test_an_id_that_is_no_commit_is_not_found(source: GitSource, repository: Repository, url: str, into: Path) -> None:
    tree = repository.git("rev-parse", "HEAD^{tree}")
    assert isinstance(refused(source, url, into, commit_sha=tree), CommitNotFound)


def test_a_repository_that_does_not_exist_is_not_found(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    for url in (server.url("none"), f"file://{repository.path.parent}/none", f"file://{into}"):
        error = refused(source, url, into)
        assert isinstance(error, RepositoryNotFound)
        assert error.code == "REPOSITORY_NOT_FOUND"
        assert error.message.startswith("There is no repository at this address")


def test_an_address_of_something_else_is_no_repository(source: GitSource, server: GitServer, into: Path) -> None:
    server.speaks_smart = False
    (server.root / "page/info").mkdir(parents=True)
    (server.root / "page/info/refs").write_text("<html>\n<p>A page</p>\n</html>\n")
    assert isinstance(refused(source, server.url("page"), into), RepositoryNotFound)


def test_a_password_that_is_not_given_is_asked_for(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    server.login = ("alice", "right")
    error = refused(source, server.url(repository.name), into)
    assert isinstance(error, RepositoryAccessDenied)
    assert error.code == "REPOSITORY_ACCESS_DENIED"
    assert "needs a password" in error.message


def test_a_wrong_password_is_refused_and_not_repeated(
    source: GitSource, repository: Repository, server: GitServer, into: Path
) -> None:
    server.login = ("alice", "right")
    error = refused(source, server.url(repository.name), into, credentials=GitCredentials("alice", "wrong-guess"))
    assert isinstance(error, RepositoryAccessDenied)
    assert "does not take this user name and password" in error.message
    assert "wrong-guess" not in repr(error)


def test_a_password_of_two_lines_is_refused(source: GitSource, url: str, into: Path) -> None:
    error = refused(source, url, into, credentials=GitCredentials("alice", "one\nhost=elsewhere"))
    assert isinstance(error, RepositoryAccessDenied)
    assert "elsewhere" not in error.message


def test_a_password_is_not_shown_by_its_holder() -> None:
    assert "secret" not in repr(GitCredentials("secret-user", "secret-password"))


def test_what_git_says_is_redacted_and_cut() -> None:
    credentials = GitCredentials("alice", "pass-word")
    said = "remote: hello pass-word\nfatal: 'https://bob:token@host/x' and pass-word \x1b[31m" + "x" * 1000
    message = explain(GitFailed(128, said), credentials).message
    assert "token" not in message
    assert "pass-word" not in message
    assert "\x1b" not in message
    assert "***@host" in message
    assert len(message) < 500
    assert redact("http://a:b@c/d and http://e/f@g", None) == "http://***@c/d and http://e/f@g"


@pytest.mark.parametrize("status", [403, 404, 410, 429, 500, 503])
def test_a_server_that_refuses_or_fails_has_its_fate(
    source: GitSource, repository: Repository, server: GitServer, into: Path, status: int
) -> None:
    server.status = status
    kinds = {403: RepositoryAccessDenied, 404: RepositoryNotFound, 410: RepositoryNotFound}
    error = refused(source, server.url(repository.name), into)
    assert type(error) is kinds.get(status, RepositoryUnreachable)


def test_a_server_that_is_away_may_come_back(source: GitSource, server: GitServer, into: Path) -> None:
    with serving(GitServer(server.root)) as stopped:
        url = stopped.url("repository")
    error = refused(source, url, into)
    assert isinstance(error, RepositoryUnreachable)
    assert error.code == "REPOSITORY_UNREACHABLE"


def test_a_host_that_nobody_knows_may_become_known(into: Path) -> None:
    source = GitSource(allow_file=False, allow_private_addresses=False)
    error = refused(source, "https://nowhere.invalid/x", into)
    assert isinstance(error, RepositoryUnreachable)
    assert "nowhere.invalid cannot be found" in error.message


@pytest.fixture
def elsewhere(repository: Repository) -> Iterator[GitServer]:
    """Another server."""
    with serving(GitServer(repository.path.parent)) as server:
        yield server


def test_a_redirect_is_not_followed(
    source: GitSource, repository: Repository, server: GitServer, elsewhere: GitServer, into: Path
) -> None:
    server.redirect = elsewhere.url("")
    error = refused(source, server.url(repository.name), into)
    assert isinstance(error, RepositoryRefused)
    assert "sends on to another address" in error.message
    assert elsewhere.seen == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0", "10.0.0.1", "169.254.169.254"]
)
def test_private_addresses_are_refused_unless_allowed(
    repository: Repository, server: GitServer, into: Path, host: str
) -> None:
    source = GitSource(allow_file=False, allow_private_addresses=False)
    error = refused(source, server.url(repository.name, host), into)
    assert isinstance(error, RepositoryRefused)
    assert "private network" in error.message
    assert server.seen == []


@pytest.mark.parametrize(
    "host", ["[::1]", "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]", "[ff02::1]"]
)
def test_private_addresses_of_the_newer_kind_are_refused_too(into: Path, host: str) -> None:
    source = GitSource(allow_file=False, allow_private_addresses=False)
    assert isinstance(refused(source, f"http://{host}/x", into), RepositoryRefused)


def test_file_addresses_are_refused_unless_allowed(repository: Repository, into: Path) -> None:
    source = GitSource(allow_file=False, allow_private_addresses=True)
    error = refused(source, repository.url, into)
    assert isinstance(error, RepositoryRefused)
    assert "file address" in error.message


@pytest.mark.parametrize("url", ["ssh://git@example.com/x", "git@example.com:x/y.git"])
def test_ssh_is_refused_for_now(source: GitSource, into: Path, url: str) -> None:
    error = refused(source, url, into)
    assert isinstance(error, RepositoryRefused)
    assert "use the https address" in error.message


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch pwned",
        "-v",
        "ext::sh -c touch% pwned",
        "fd::17",
        "git://example.com/x",
        "ftp://example.com/x",
        "/etc",
        "../x",
        "",
        "http://",
        "http://example.com",
        "https://alice:password@example.com/x",
        "https://example.com/x\nhttps://example.com/y",
        "https://example.com/x?token=password",
        "file://elsewhere/x",
        "https://-oProxyCommand=x/y",
    ],
)
def test_addresses_that_are_none_or_hide_an_option_or_a_secret_are_refused(
    source: GitSource, into: Path, url: str
) -> None:
    error = refused(source, url, into)
    assert isinstance(error, RepositoryRefused)
    assert "password@" not in error.message
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(
    "branch",
    ["--upload-pack=x", "-b", "a..b", "a b", "a\nb", "a\0b", "@{-1}", "a*", "a^{}", "a:b", "x.lock", "", "HEAD"],
)
def test_names_that_no_branch_can_have_are_refused(
    source: GitSource, repository: Repository, into: Path, branch: str
) -> None:
    assert isinstance(refused(source, repository.url, into, branch=branch), BranchNotFound)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize("tag", ["--upload-pack=x", "a*", "v1^{}"])
def test_names_that_no_tag_can_have_are_refused(source: GitSource, repository: Repository, tag: str) -> None:
    with pytest.raises(TagNotFound, match="The name of the tag"):
        source.resolve(ResolveRequest(repository.url, tag=tag), go_on)
