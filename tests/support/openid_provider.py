"""A real OpenID provider (oidc-provider-mock), as a process of its own: `python -m tests.support.openid_provider PORT`.

It does not know PKCE; a check in front of it sees to that, as RFC 7636 says.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

from launcher.ports import free_port
from tests.support.platform import wait_for
from tests.support.servers import ROOT


class PkceCheck:
    """Lets codes be exchanged with the verifier alone whose challenge they were asked for with."""

    def __init__(self, provider: Callable[..., Iterable[bytes]]) -> None:
        self._provider = provider
        self._challenges: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if environ["PATH_INFO"] == "/oauth2/token" and not self._is_proven(environ):
            start("400 BAD REQUEST", [("Content-Type", "application/json")])
            return [json.dumps({"error": "invalid_grant"}).encode()]
        asked = parse_qs(environ["QUERY_STRING"])

        def remember(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            code = parse_qs(urlsplit(dict(headers).get("Location", "")).query).get("code")
            if code and asked.get("code_challenge_method") == ["S256"]:
                self._challenges[code[0]] = asked["code_challenge"][0]
            return start(status, headers, *more)

        return self._provider(environ, remember)

    def _is_proven(self, environ: dict[str, Any]) -> bool:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        sent = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        proof = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        expected = base64.urlsafe_b64encode(proof).rstrip(b"=").decode()
        return self._challenges.pop(sent.get("code", ""), None) == expected


@dataclass(frozen=True)
class OpenId:
    """The provider at `issuer`, and the people who have accounts there."""

    issuer: str

    def add(self, subject: str, **claims: Any) -> None:
        """Give somebody an account."""
        requests.put(f"{self.issuer}/users/{subject}", json=claims, timeout=10).raise_for_status()

    def log_in(self, auth_url: str, subject: str) -> dict[str, str]:
        """Log in as a browser does; return what it is sent back with."""
        reply = requests.post(auth_url, data={"sub": subject}, timeout=10, allow_redirects=False)
        assert reply.status_code == 302, reply.text
        return {name: values[0] for name, values in parse_qs(urlsplit(reply.headers["Location"]).query).items()}

    def id_token(self, subject: str, client_id: str, nonce: str) -> str:
        """Return the id token that an application gets for itself."""
        verifier = "v" * 43
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": client_id,
            "redirect_uri": "http://app.example/back",
            "response_type": "code",
            "scope": "openid email profile",
            "nonce": nonce,
            "code_challenge_method": "S256",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        url = requests.Request("GET", f"{self.issuer}/oauth2/authorize", params=asked).prepare().url
        code = self.log_in(str(url), subject)["code"]
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"]}
        proof = {"code_verifier": verifier, "client_id": client_id, "client_secret": "any"}
        reply = requests.post(f"{self.issuer}/oauth2/token", data=body | proof, timeout=10)
        return str(reply.json()["id_token"])


@contextmanager
def openid_provider() -> Iterator[OpenId]:
    """Run the provider."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.openid_provider", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), **quiet) as process:  # type: ignore[call-overload]
        try:
            issuer = f"http://localhost:{port}"
            wait_for(lambda: _answers(issuer), 60)
            yield OpenId(issuer)
        finally:
            process.terminate()


def _answers(issuer: str) -> bool:
    try:
        return requests.get(f"{issuer}/.well-known/openid-configuration", timeout=5).ok
    except requests.ConnectionError:
        return False


def main() -> None:
    """Serve until killed."""
    import oidc_provider_mock
    from werkzeug.serving import run_simple

    run_simple("localhost", int(sys.argv[1]), PkceCheck(oidc_provider_mock.app(require_nonce=True)), threaded=True)


if __name__ == "__main__":
    main()
