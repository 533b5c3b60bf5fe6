"""One Docker or podman engine, by the Docker Engine API (https://docs.docker.com/reference/api/engine/).

The API's own client for Python was weighed and left: what is hard here, reading an attached container while its clock
runs and its cancel is looked for, it does with blocking sockets; docs/decisions.md has the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from app.kernel.addresses import AddressRules
from tasks.gateways import HttpClient, OutgoingError, Streamed, Timeouts
from tasks.pipelines.gateways.containers.base import Check, ContainerRefused, ContainersUnavailable, ImageUnavailable

NEWEST_KNOWN: Final = (1, 44)
_OPERATORS_OWN: Final = AddressRules(allow_private=True, allow_loopback=True)
_CALL: Final = Timeouts(connect=5.0, first_byte=60.0, idle=60.0, whole=90.0)
_PULL: Final = Timeouts(connect=5.0, first_byte=300.0, idle=300.0, whole=3600.0)
_MOST_BYTES: Final = 16 * 1024 * 1024
_MOST_LINE: Final = 1024 * 1024
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\u00a0-\ud7ff]+")


class NotThere(ContainerRefused):
    """The engine has nothing of this name."""

    code = "CONTAINER_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What an engine says of itself. `cgroup` is the version of control groups, None where they hold no limits."""

    name: str
    version: str
    api: tuple[int, int]
    rootless: bool
    cgroup: str | None


class Engine:
    """The API, asked by one thread. Everything raises ContainersUnavailable, ContainerRefused or what `check` does."""

    def __init__(self, address: str, check: Check = lambda: None, api: tuple[int, int] | None = None) -> None:
        url = f"http://{address.removeprefix('tcp://')}" if address.startswith("tcp://") else address
        self._http = HttpClient(url, rules=_OPERATORS_OWN, timeouts=_CALL, keep=check)
        self._prefix = f"/v{api[0]}.{api[1]}" if api else ""

    def read_facts(self) -> EngineFacts:
        """Return what the engine is; the version of the API to speak is the newest that both know."""
        version, info = self.call("GET", "/version"), self.call("GET", "/info")
        components = [str(one.get("Name", "")) for one in version.get("Components") or ()]
        held = bool(info.get("MemoryLimit")) and str(info.get("CgroupDriver", "")) != "none"
        return EngineFacts(
            name="podman" if any("podman" in name.lower() for name in components) else "docker",
            version=str(version.get("Version", ""))[:40],
            api=min(max(_version_of(version.get("MinAPIVersion")), NEWEST_KNOWN), _version_of(version["ApiVersion"])),
            rootless=any("rootless" in str(option) for option in info.get("SecurityOptions") or ()),
            cgroup=str(info.get("CgroupVersion") or "1") if held else None,
        )

    def call(self, method: str, path: str, body: Any = None, **query: str | int) -> Any:
        """Ask for something and return the answer's JSON, None where it has none."""
        encoded = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": "application/json"} if encoded else {}
        with _told():
            reply = self._http.request(
                method, self._target(path, query), headers=headers, body=encoded, max_bytes=_MOST_BYTES
            )
        _refuse(reply.status, reply.body)
        is_json = "json" in reply.headers.get("content-type", "")
        return _read_json(reply.body) if is_json and reply.body.strip() else None

    @contextmanager
    def stream(self, method: str, path: str, body: Any = None, **query: str | int) -> Iterator[Streamed]:
        """Ask for something whose answer is read while it comes."""
        encoded = orjson.dumps(body or {})
        headers = {"Content-Type": "application/json"}
        target = self._target(path, query)
        with _told(), self._http.stream(method, target, headers=headers, body=encoded, timeouts=_PULL) as answer:
            if answer.status >= 300:
                _refuse(answer.status, answer.read(_MOST_BYTES))
            yield answer

    def find_image(self, image: str) -> dict[str, Any] | None:
        """Return what an image says of its containers; None where the engine does not have it."""
        try:
            found = self.call("GET", f"/images/{quote(image, safe='/:@')}/json")
        except NotThere:
            return None
        return (found or {}).get("Config") or {}

    def pull(self, image: str) -> None:
        """Fetch an image; raises ImageUnavailable with what the engine says."""
        with self.stream("POST", "/images/create", fromImage=image) as answer:
            for line in answer.lines(_MOST_LINE):
                told = _read_json(line) if line.strip() else {}
                if isinstance(told, dict) and told.get("error"):
                    raise ImageUnavailable(f"The image {image} cannot be had: {clean(told['error'])}")

    def list_labelled(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Return the `containers` or `networks` that carry a label, `name=value`."""
        query: dict[str, str | int] = {"filters": json.dumps({"label": [label]})}
        found = self.call("GET", f"/{kind}/json" if kind == "containers" else f"/{kind}", **query, all=1)
        return [one for one in found or () if isinstance(one, dict)]

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def path_of(self, path: str, query: Mapping[str, str | int]) -> str:
        """Return the whole path of a request that somebody else sends."""
        return self._target(path, query)

    def _target(self, path: str, query: Mapping[str, str | int]) -> str:
        return f"{self._prefix}{path}?{urlencode(query)}" if query else f"{self._prefix}{path}"


def clean(text: object) -> str:
    """Return what an engine says as one short line."""
    return _UNPRINTABLE.sub(" ", str(text)[:500]).strip()


def _refuse(status: int, body: bytes) -> None:
    if status < 400:
        return
    told = _read_json(body) if body[:1] == b"{" else {}
    said = clean(told.get("message") or told.get("cause") or "") if isinstance(told, dict) else ""
    message = said or f"The container engine answered {status}."
    if status == 404:
        raise NotThere(message)
    if status in (429, 503):
        raise ContainersUnavailable(message)
    raise ContainerRefused(message)


def _read_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ContainerRefused("The container engine's answer is not JSON.") from None


def _version_of(text: object) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", str(text or ""))
    return (int(match[1]), int(match[2])) if match else (1, 24)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OutgoingError as error:
        raise ContainersUnavailable(f"The container engine cannot be asked: {error.message}") from error
