"""Each provider, with what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters.providers.worlds import ProviderWorld, capi_world, eks_world, local_world, running_moto


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    with running_moto() as url:
        yield url


@pytest.fixture(params=["eks", "capi", "local"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProviderWorld]:
    match request.param:
        case "eks":
            opened = eks_world(request.getfixturevalue("moto"))
        case "capi":
            opened = capi_world()
        case _:
            opened = local_world(tmp_path)
    with opened as world:
        yield world
