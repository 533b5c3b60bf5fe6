"""A real OpenID provider, as a process of its own (see tests/support/openid_site), and what browsers and applications
do there.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from launcher.ports import free_port
from tests.support.openid_site import PASSWORD, SECRET
from tests.support.platform import wait_for
from tests.support.servers import ROOT

OWN_ADDRESS = "http://app.example/back"
VERIFIER = "v" * 43


@dataclass(frozen=True)
class OpenId:
    """The provider at `issuer`, and the people who have accounts there."""

    issuer: str

    def add(self, subject: str, **claims: Any) -> None:
        """Give somebody an account."""
        requests.put(f"{self.issuer}/accounts/{subject}", json=claims, timeout=10).raise_for_status()

    def register(self, client_id: str, *redirect_uris: str) -> None:
        """Register an application, whose secret is SECRET."""
        said = {"redirect_uris": list(redirect_uris)}
        requests.put(f"{self.issuer}/clients/{client_id}", json=said, timeout=10).raise_for_status()

    def log_in(self, auth_url: str, subject: str) -> dict[str, str]:
        """Log in as a browser does: by the provider's form; return what it is sent back with."""
        with requests.Session() as browser:
            page = browser.get(auth_url, timeout=10)
            token = browser.cookies.get("csrftoken", "")
            typed = {"username": subject, "password": PASSWORD, "csrfmiddlewaretoken": token}
            reply = browser.post(page.url, data=typed, timeout=10, allow_redirects=False)
            while (where := urljoin(reply.url, reply.headers["Location"])).startswith(self.issuer):
                reply = browser.get(where, timeout=10, allow_redirects=False)
        return {name: values[0] for name, values in parse_qs(urlsplit(where).query).items()}

    def authorization_url(self, client_id: str, **changed: str | None) -> str:
        """Return where an application sends a browser that is to come back to OWN_ADDRESS."""
        asked = {
            "client_id": client_id,
            "redirect_uri": OWN_ADDRESS,
            "response_type": "code",
            "scope": "openid email profile",
            "state": "s-1",
            "code_challenge_method": "S256",
            "code_challenge": _challenge(VERIFIER),
        }
        return str(requests.Request("GET", f"{self.issuer}/authorize/", params=asked | changed).prepare().url)

    def exchange(self, client_id: str, code: str, **changed: str | None) -> requests.Response:
        """Exchange a code as an application does."""
        body = {"grant_type": "authorization_code", "code": code, "redirect_uri": OWN_ADDRESS}
        proof = {"code_verifier": VERIFIER, "client_id": client_id, "client_secret": SECRET}
        return requests.post(f"{self.issuer}/token/", data=body | proof | changed, timeout=10)

    def id_token(self, subject: str, client_id: str, nonce: str) -> str:
        """Return the id token that an application gets for itself."""
        code = self.log_in(self.authorization_url(client_id, nonce=nonce), subject)["code"]
        return str(self.exchange(client_id, code).json()["id_token"])


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@contextmanager
def openid_provider() -> Iterator[OpenId]:
    """Run the provider."""
    port = free_port()
    command = [sys.executable, "-m", "tests.support.openid_site", str(port)]
    # oauthlib serves plain HTTP only when it is told to.
    environment = dict(os.environ) | {"OAUTHLIB_INSECURE_TRANSPORT": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=environment, **quiet) as process:  # type: ignore[call-overload]
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
