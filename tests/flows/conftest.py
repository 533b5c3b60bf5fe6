"""A running platform for all flows of a session, and a repository to build."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.support.callers import User
from tests.support.platform import PROCESSES, Platform, started_platform
from tests.support.repositories import Repository

SHOWN_LINES = 40

_numbers = count(1)
PLATFORM = pytest.StashKey[Platform]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    platform = item.session.stash.get(PLATFORM, None)
    if report.failed and platform:
        for name in PROCESSES:
            report.sections.append((name, "\n".join(platform.log(name).splitlines()[-SHOWN_LINES:])))
    return report


@pytest.fixture(scope="session")
def _platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with started_platform(tmp_path_factory.mktemp("platform")) as platform:
        request.session.stash[PLATFORM] = platform
        yield platform


@pytest.fixture
def platform(_platform: Platform) -> Platform:
    """The platform, all of it running."""
    _platform.ensure()
    return _platform


@pytest.fixture
def alice(platform: Platform) -> User:
    """Somebody new, with an account."""
    return User.registered(platform.base, f"alice{next(_numbers)}")


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A small repository."""
    repository = Repository(tmp_path_factory.mktemp("sources") / "shop")
    repository.commit({"README.md": "A shop.\n", "src/shop.py": "print('open')\n"}, "Open the shop")
    return repository
