"""Client applications and their users, made over the API, with their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from tests.support.identity import data_of

API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Holder:
    """A client application, or one of its users: what the API said of it, and its key."""

    said: dict[str, Any]
    key: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.said["id"])

    @property
    def headers(self) -> dict[str, str]:
        """What its requests carry."""
        return {"Authorization": f"Bearer {self.key}"}


def make_client(client: FlaskClient, name: str = "Web shop", **fields: Any) -> Holder:
    """Register an application."""
    made = data_of(client.post(f"{API}/clients", json={"name": name, **fields}), 201)
    return Holder(made, made.pop("master_api_key"))


def make_user(client: FlaskClient, application: Holder, username: str = "ann", **fields: Any) -> Holder:
    """Let an application make a user."""
    body = {"username": username, "email": f"{username}@shop.example", **fields}
    made = data_of(client.post(f"{API}/users", json=body, headers=application.headers), 201)
    return Holder(made, made.pop("scoped_api_key"))
