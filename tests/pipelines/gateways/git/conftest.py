"""A repository, a server that serves it, and git as the platform runs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.pipelines.gateways.git import GitSource
from tests.support.git_server import GitServer, serving
from tests.support.repositories import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """An empty repository."""
    return Repository(tmp_path / "served" / "repository")


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    """A server that serves the repository, and whatever is put beside it."""
    with serving(GitServer(repository.path.parent)) as server:
        yield server


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """An empty folder."""
    path = tmp_path / "into"
    path.mkdir()
    return path


@pytest.fixture
def source() -> GitSource:
    """Git that may go anywhere."""
    return GitSource(allow_file=True, allow_private_addresses=True)


@pytest.fixture(params=["file", "http"])
def url(request: pytest.FixtureRequest, repository: Repository, server: GitServer) -> str:
    """The repository's address, of either kind."""
    return repository.url if request.param == "file" else server.url(repository.name)
