"""What each code host is told, word by word, and what its answers mean."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app.kernel.errors import Transient
from tasks.gateways.errors import CertificateRefused, DestinationRefused
from tasks.pipelines.gateways.statuses import CommitStatus, HttpStatuses, StatusHostAway, StatusRefused, make_call
from tests.support.status_server import StatusServer, telling

COMMIT = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
TOKEN = "the-token-of-the-host"
STATUS = CommitStatus(
    provider="github",
    api_url=None,
    repository_url="https://github.com/Acme/Web%20shop.git",
    commit_sha=COMMIT,
    state="failure",
    context="headrace/shop",
    description="Execution 7 failed after 3 s",
    target_url="https://ci.example.com/api/v1/executions/1",
)


@pytest.fixture
def server() -> Iterator[StatusServer]:
    with telling(StatusServer()) as server:
        yield server


@pytest.fixture
def statuses() -> HttpStatuses:
    return HttpStatuses(allow_private_addresses=True)


@pytest.mark.parametrize(
    ("provider", "path", "header", "body"),
    [
        (
            "github",
            f"/api/v3/repos/acme/shop/statuses/{COMMIT}",
            ("Authorization", f"Bearer {TOKEN}"),
            {"state": "failure", "context": "headrace/shop"},
        ),
        (
            "gitlab",
            f"/api/v4/projects/acme%2Fshop/statuses/{COMMIT}",
            ("PRIVATE-TOKEN", TOKEN),
            {"state": "failed", "name": "headrace/shop"},
        ),
        (
            "gitea",
            f"/api/v1/repos/acme/shop/statuses/{COMMIT}",
            ("Authorization", f"token {TOKEN}"),
            {"state": "failure", "context": "headrace/shop"},
        ),
    ],
)
def test_each_host_is_told_in_its_own_words(
    server: StatusServer,
    statuses: HttpStatuses,
    provider: str,
    path: str,
    header: tuple[str, str],
    body: dict[str, str],
) -> None:
    status = replace(STATUS, provider=provider, repository_url=f"{server.url}/acme/shop.git")
    statuses.report(status, TOKEN)
    [heard] = server.heard
    assert heard["path"] == path
    assert heard["headers"][header[0]] == header[1]
    assert heard["headers"]["Host"] == f"127.0.0.1:{server.port}"
    assert heard["body"] == body | {"target_url": STATUS.target_url, "description": STATUS.description}


@pytest.mark.parametrize("provider", ["github", "gitlab", "gitea"])
def test_every_state_has_its_word(server: StatusServer, statuses: HttpStatuses, provider: str) -> None:
    words = {
        "github": ["pending", "success", "failure", "error"],
        "gitlab": ["running", "success", "failed", "canceled"],
        "gitea": ["pending", "success", "failure", "error"],
    }
    for state in ("pending", "success", "failure", "error"):
        status = replace(STATUS, provider=provider, api_url=f"{server.url}/api", state=state)
        statuses.report(status, TOKEN)
    assert [heard["body"]["state"] for heard in server.heard] == words[provider]


@pytest.mark.parametrize(
    ("provider", "repository", "api", "url"),
    [
        ("github", "https://github.com/a/b.git", None, "https://api.github.com/repos/a/b"),
        ("github", "git@github.com:a/b.git", None, "https://api.github.com/repos/a/b"),
        ("github", "https://git.corp.com/a/b", None, "https://git.corp.com/api/v3/repos/a/b"),
        ("gitlab", "https://gitlab.com/g/s/p.git", None, "https://gitlab.com/api/v4/projects/g%2Fs%2Fp"),
        ("gitlab", "ssh://git@gitlab.corp.com:2222/g/p.git", None, "https://gitlab.corp.com/api/v4/projects/g%2Fp"),
        ("gitea", "https://gitea.com:3000/a/b", None, "https://gitea.com:3000/api/v1/repos/a/b"),
        ("gitea", "https://x.com/a/b", "https://y.com/git/api/v1/", "https://y.com/git/api/v1/repos/a/b"),
    ],
)
def test_the_api_follows_from_the_repository(provider: str, repository: str, api: str | None, url: str) -> None:
    status = replace(STATUS, provider=provider, repository_url=repository, api_url=api)
    assert make_call(status, TOKEN).url == f"{url}/statuses/{COMMIT}"


@pytest.mark.parametrize("repository", ["file:///srv/shop", "https://", "https://h/", "shop"])
def test_a_repository_without_a_host_is_refused(repository: str) -> None:
    with pytest.raises(StatusRefused):
        make_call(replace(STATUS, repository_url=repository), TOKEN)


@pytest.mark.parametrize(
    ("code", "headers", "error", "retry_after"),
    [
        (401, {}, StatusRefused, None),
        (403, {}, StatusRefused, None),
        (404, {}, StatusRefused, None),
        (422, {}, StatusRefused, None),
        (301, {"Location": "http://127.0.0.1:1/"}, StatusRefused, None),
        (403, {"X-RateLimit-Remaining": "0"}, StatusHostAway, None),
        (403, {"Retry-After": "30"}, StatusHostAway, 30.0),
        (429, {"Retry-After": "99999"}, StatusHostAway, 3600.0),
        (429, {"Retry-After": "soon"}, StatusHostAway, None),
        (500, {}, StatusHostAway, None),
        (503, {}, StatusHostAway, None),
    ],
)
def test_what_an_answer_means(
    server: StatusServer,
    statuses: HttpStatuses,
    code: int,
    headers: dict[str, str],
    error: type[Exception],
    retry_after: float | None,
) -> None:
    server.status, server.headers = code, headers
    server.body = f'{{"message": "not with {TOKEN}"}}'.encode()
    with pytest.raises(error) as caught:
        statuses.report(replace(STATUS, api_url=server.url), TOKEN)
    assert TOKEN not in str(caught.value)
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert len(server.heard) == 1


def test_gitlab_may_have_heard_it_already(server: StatusServer, statuses: HttpStatuses) -> None:
    server.status = 400
    server.body = b'{"message": "Cannot transition status via :run from :running"}'
    statuses.report(replace(STATUS, provider="gitlab", api_url=server.url), TOKEN)
    with pytest.raises(StatusRefused):
        statuses.report(replace(STATUS, provider="gitea", api_url=server.url), TOKEN)


def test_an_answer_without_end_is_not_read_to_its_end(server: StatusServer, statuses: HttpStatuses) -> None:
    server.status, server.body = 404, b"x" * (8 * 1024 * 1024)
    with pytest.raises(StatusRefused) as caught:
        statuses.report(replace(STATUS, api_url=server.url), TOKEN)
    assert len(str(caught.value)) < 400


def test_a_host_that_is_away_is_asked_again_later(statuses: HttpStatuses) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Transient):
            statuses.report(replace(STATUS, api_url=f"http://127.0.0.1:{taken.getsockname()[1]}"), TOKEN)
    with pytest.raises(Transient):
        statuses.report(replace(STATUS, api_url="https://host.invalid/api"), TOKEN)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:{port}", "http://localhost:{port}", "http://10.0.0.1", "http://169.254.169.254", "http://[::1]"],
)
def test_a_private_address_is_told_nothing(server: StatusServer, url: str) -> None:
    with pytest.raises(DestinationRefused):
        HttpStatuses(allow_private_addresses=False).report(replace(STATUS, api_url=url.format(port=server.port)), TOKEN)
    assert server.heard == []


def test_a_name_that_leads_to_a_private_address_is_told_nothing(
    server: StatusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve_to_loopback(monkeypatch)
    with pytest.raises(DestinationRefused):
        HttpStatuses(allow_private_addresses=False).report(
            replace(STATUS, api_url=f"http://code.example.com:{server.port}"), TOKEN
        )
    assert server.heard == []


def test_a_host_is_known_by_its_certificate_though_its_address_is_pinned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _resolve_to_loopback(monkeypatch)
    context = _certified(tmp_path, "code.example.com")
    trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
    statuses = HttpStatuses(allow_private_addresses=True, tls=trusting)
    with telling(StatusServer(), context) as server:
        statuses.report(replace(STATUS, api_url=f"https://code.example.com:{server.port}"), TOKEN)
        assert server.heard[0]["headers"]["Host"] == f"code.example.com:{server.port}"
        for other, tells in (
            ("other.example.com", statuses),
            ("code.example.com", HttpStatuses(allow_private_addresses=True)),
        ):
            with pytest.raises(CertificateRefused):
                tells.report(replace(STATUS, api_url=f"https://{other}:{server.port}"), TOKEN)
        assert len(server.heard) == 1


def _resolve_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith("example.com") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def _certified(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "certificate.pem").write_bytes(pem)
    private = serialization.PrivateFormat.PKCS8
    plain = key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(plain + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\nHost: evil.example.com", "tökén"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_told(
    server: StatusServer, statuses: HttpStatuses, token: str
) -> None:
    with pytest.raises(StatusRefused) as caught:
        statuses.report(replace(STATUS, api_url=server.url), token)
    assert token.strip() not in str(caught.value)
