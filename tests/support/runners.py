"""Runners in tests: registered, and at work by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.pipelines import Segment, encode_chunk
from tests.support.identity import Person, data_of
from tests.support.pipelines import stage, step

API = "/api/v1"
ELSEWHERE = stage("build", step("compile", "make"), step("test", "make test"), runs_on=["gpu", "linux"])
ITSELF = {"version": "0.1.0", "system": "linux x86_64", "sandbox": "plain", "capacity": 2}


def make_token(client: FlaskClient, person: Person, place: str = "", **fields: Any) -> str:
    """Let a person make a registration token, for their organization unless another place is named; return its text."""
    path = f"{API}/{place or f'organizations/{person.organization_id}'}/runner-tokens"
    token: str = data_of(client.post(path, json=fields, headers=person.headers), 201)["token"]
    return token


def make_runner(client: FlaskClient, token: str, *labels: str, name: str = "machine") -> dict[str, Any]:
    """Register a runner and return it with its token."""
    body = {**ITSELF, "token": token, "name": name, "labels": list(labels) or ["linux"]}
    made: dict[str, Any] = data_of(client.post(f"{API}/runner/register", json=body), 201)
    return made


@dataclass(frozen=True)
class HandRunner:
    """A runner whose every request a test makes."""

    client: FlaskClient
    token: str

    @classmethod
    def registered(
        cls, client: FlaskClient, person: Person, *labels: str, place: str = "", **fields: Any
    ) -> HandRunner:
        """Register one where a person lets it."""
        return cls(client, make_runner(client, make_token(client, person, place, **fields), *labels)["token"])

    @property
    def headers(self) -> dict[str, str]:
        """By which it is known."""
        return {"Authorization": f"Bearer {self.token}"}

    def claim(self, *holding: str) -> dict[str, Any] | None:
        """Ask for a stage."""
        body = {**ITSELF, "protocol": 1, "holding": list(holding)}
        answer = data_of(self.client.post(f"{API}/runner/claim", json=body, headers=self.headers))
        given: dict[str, Any] | None = answer["assignment"]
        return given

    def claim_one(self) -> dict[str, Any]:
        """Ask for a stage that has to be there."""
        given = self.claim()
        assert given is not None
        return given

    def post(self, given: dict[str, Any], path: str, body: Any = None, **more: Any) -> TestResponse:
        """Post JSON about an attempt."""
        return self.client.post(place_of(given) + path, json=body or {}, headers=self.headers, **more)

    def send(self, given: dict[str, Any], path: str, data: bytes, method: str = "POST") -> TestResponse:
        """Send bytes about an attempt."""
        headers = self.headers | {"Content-Type": "application/octet-stream"}
        return self.client.open(place_of(given) + path, method=method, data=data, headers=headers)

    def write(self, given: dict[str, Any], step_id: str, first_seq: int, text: str, attempt: int = 1) -> TestResponse:
        """Send lines of a step's log."""
        chunk = encode_chunk([Segment(first_seq, text.count("\n") + 1, "stdout", datetime.now(UTC), text)])
        return self.send(given, f"/steps/{step_id}/log?attempt={attempt}", chunk)

    def finish(self, given: dict[str, Any], outcome: str = "succeeded", **more: Any) -> TestResponse:
        """End an attempt."""
        return self.post(given, "/finish", {"outcome": outcome, **more})


def place_of(given: dict[str, Any]) -> str:
    """Return the address of what a runner was given."""
    return f"{API}/runner/jobs/{UUID(given['job_id'])}/attempts/{given['attempt']}"
