"""The code hosts that are understood: in which headers they say what, and who reads their payloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from app.pipelines.triggers import github, gitlab
from app.pipelines.triggers.event import Provider, RepositoryEvent
from app.pipelines.triggers.payload import Payload

LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Host:
    """A kind of code host; of each list of headers the first that is there counts. All names are in small letters."""

    provider: Provider
    event_headers: tuple[str, ...]
    delivery_headers: tuple[str, ...]
    parse: Callable[[str, Payload], RepositoryEvent]

    def read(self, headers: Mapping[str, str], payload: Payload) -> RepositoryEvent:
        """Return what a delivery tells."""
        return self.parse(_first(headers, self.event_headers), payload)

    def delivery_id(self, headers: Mapping[str, str]) -> str | None:
        """Return what names the delivery, the same when it is sent again."""
        return _first(headers, self.delivery_headers) or None


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := headers.get(name, "").strip()[:LONGEST])), "")


HOSTS: Final[Mapping[str, Host]] = {
    "github": Host("github", ("x-github-event",), ("x-github-delivery",), github.parse),
    "gitlab": Host(
        "gitlab", ("x-gitlab-event",), ("idempotency-key", "webhook-id", "x-gitlab-event-uuid"), gitlab.parse
    ),
    "gitea": Host(
        "gitea",
        ("x-gitea-event", "x-forgejo-event"),
        ("x-gitea-delivery", "x-forgejo-delivery"),
        github.parse,
    ),
}
