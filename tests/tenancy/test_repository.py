"""What a workspace may name as its repository and branch."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kernel.addresses import is_private_host
from app.tenancy import RepositoryRules, find_branch_fault, find_url_fault
from app.tenancy.repository import NO_CREDENTIALS

PUBLIC = RepositoryRules()
EVERYTHING = RepositoryRules(allow_file=True, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/team/shop.git",
        "https://git.example.com:8443/team/shop",
        "http://git.example.com/shop.git",
        "HTTPS://GIT.example.com/shop.git",
        "ssh://git@git.example.com/team/shop.git",
        "ssh://git@git.example.com:2222/team/shop.git",
        "ssh://git.example.com/team/shop.git",
        "git@git.example.com:team/shop.git",
        "deploy-user@git.example.com:/srv/shop.git",
        "https://93.184.216.34/shop.git",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/shop.git",
        "https://git.example.com/team/sh%20op.git",
    ],
)
def test_a_public_address_is_taken(url: str) -> None:
    assert find_url_fault(url, PUBLIC) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://alice@git.example.com/x.git",
        "https://alice:secret@git.example.com/x.git",
        "https://:secret@git.example.com/x.git",
        "https://token@git.example.com:443/x.git",
        "https://@git.example.com/x.git",
        "ssh://git:secret@git.example.com/x.git",
    ],
)
def test_credentials_in_an_address_are_refused_and_sent_to_the_secrets(url: str) -> None:
    assert find_url_fault(url, EVERYTHING) == NO_CREDENTIALS
    assert "secrets" in NO_CREDENTIALS


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.git",
        "/srv/git/shop.git",
        "../shop.git",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "ssh://-oProxyCommand=id/x",
        "ssh://-oProxyCommand=id@git.example.com/x",
        "git@-oProxyCommand=id:x",
        "-git@git.example.com:x",
        "git@git.example.com:-x",
        "git@git.example.com:",
        "git@git.example.com::x",
        "ext::sh -c id",
        "ext::id",
        "fd::17",
        "git://git.example.com/x.git",
        "ftp://git.example.com/x.git",
        "javascript:alert(1)",
        "https://",
        "https:///x.git",
        "https://git.example.com",
        "https://git.example.com/",
        "https://git.example.com:0/x.git",
        "https://git.example.com:99999/x.git",
        "https://git.example.com:ssh/x.git",
        "https://git.example.com/x.git?private_token=abc",
        "https://git.example.com/x.git#main",
        "https://git.exa mple.com/x.git",
        "https://git.example.com/x.git\n",
        "\thttps://git.example.com/x.git",
        "https://git.example.com/x\x00.git",
        "https://git.example.com\\@evil.example.com/x.git",
        "https://git.exämple.com/x.git",
        "https://git%2eexample.com/x.git",
        "https://[::1/x.git",
        "https://[::1%25eth0]/x.git",
        "file://server/share/x.git",
        "file:relative",
        "file://",
        "https://git.example.com/" + "x" * 2048,
    ],
)
def test_what_is_no_repository_address_is_refused_wherever_it_is_tried(url: str) -> None:
    assert find_url_fault(url, EVERYTHING) is not None


def test_files_are_taken_where_the_installation_allows_them_only() -> None:
    assert "does not allow" in (find_url_fault("file:///srv/git/shop.git", PUBLIC) or "")
    assert find_url_fault("file:///srv/git/shop.git", EVERYTHING) is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "api.localhost",
        "printer.local",
        "metadata.google.internal",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fd00::1]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
    ],
)
def test_private_addresses_are_taken_where_the_installation_allows_them_only(host: str) -> None:
    for url in (f"http://{host}/x.git", f"ssh://git@{host}:2222/x.git", f"git@{host}:x.git"):
        assert "private network" in (find_url_fault(url, PUBLIC) or ""), url
        assert find_url_fault(url, EVERYTHING) is None


@pytest.mark.parametrize(
    "host", ["git.example.com", "localhost.example.com", "8.8.8.8", "2606:4700::1111", "1e100.net"]
)
def test_public_hosts_are_not_taken_for_private_ones(host: str) -> None:
    assert not is_private_host(host)


@given(st.text(max_size=80))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    find_url_fault(text, PUBLIC)
    find_url_fault("https://" + text, PUBLIC)
    find_url_fault("git@" + text, PUBLIC)
    find_branch_fault(text)


@pytest.mark.parametrize("branch", ["main", "feature/x-1", "release-1.2", "héllo", "a" * 255])
def test_a_branch_is_taken(branch: str) -> None:
    assert find_branch_fault(branch) is None


@pytest.mark.parametrize(
    "branch",
    [
        *("", "-x", "--upload-pack=id", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a\nb", "a\x7f"),
        *("@", "a@{1}", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a" * 256),
    ],
)
def test_what_is_no_branch_is_refused(branch: str) -> None:
    assert find_branch_fault(branch) is not None


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
@pytest.mark.parametrize(
    "branch", ["main", "a..b", "a.lock", "x/.y", "@", "a@{b", "feature/x", "a.", "a~b", "héllo", "@a"]
)
def test_branches_are_judged_as_git_judges_them(branch: str) -> None:
    judged = subprocess.run(["git", "check-ref-format", f"refs/heads/{branch}"], check=False)
    assert (find_branch_fault(branch) is None) == (judged.returncode == 0 and branch != "@")
