"""What each provider does, whichever it is."""

from __future__ import annotations

from app.clusters import Access
from tasks.clusters.gateways.providers import Order, Ready, Working
from tests.clusters.providers.worlds import ProviderWorld

MOST_TURNS = 20


def make(world: ProviderWorld, order: Order) -> Access:
    """Ask until the cluster is there."""
    percents = []
    for _ in range(MOST_TURNS):
        state = world.provider.ensure(order)
        if isinstance(state, Ready):
            return state.access
        assert state.message
        assert state.retry_after > 0
        percents.append(state.percent)
        assert all(0 <= one < 100 for one in percents)
        world.progress()
    raise AssertionError(f"not made: {state}")


def take_away(world: ProviderWorld, order: Order) -> None:
    """Ask until nothing is left."""
    for _ in range(MOST_TURNS):
        state = world.provider.remove(order)
        if state is None:
            return
        assert isinstance(state, Working)
        world.progress()
    raise AssertionError(f"not removed: {state}")


def test_a_cluster_is_made_and_then_there_is_what_opens_it(world: ProviderWorld) -> None:
    order, before = world.order(), world.count()
    access = make(world, order)
    assert access.server.startswith("https://")
    assert access.token or access.token_maker
    assert world.count() == before + 1
    take_away(world, order)


def test_asking_again_makes_no_second_one_and_opens_the_same(world: ProviderWorld) -> None:
    order = world.order()
    access = make(world, order)
    count = world.count()
    assert world.provider.ensure(order) == Ready(access)
    assert world.count() == count
    take_away(world, order)


def test_a_cluster_is_taken_away_whole_and_taking_it_away_again_does_nothing(world: ProviderWorld) -> None:
    order, before = world.order(), world.count()
    make(world, order)
    take_away(world, order)
    assert world.count() == before
    assert world.provider.remove(order) is None


def test_one_that_is_half_made_is_taken_away_too(world: ProviderWorld) -> None:
    order, before = world.order(), world.count()
    world.provider.ensure(order)
    take_away(world, order)
    assert world.count() == before


def test_taking_away_what_never_was_does_nothing(world: ProviderWorld) -> None:
    before = world.count()
    assert world.provider.remove(world.order()) is None
    assert world.count() == before


def test_two_clusters_do_not_meet(world: ProviderWorld) -> None:
    first, second = world.order(), world.order()
    make(world, first)
    make(world, second)
    take_away(world, first)
    assert isinstance(world.provider.ensure(second), Ready)
    take_away(world, second)
