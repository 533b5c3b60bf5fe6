"""Lists: by selectors, and by pages that belong together."""

from __future__ import annotations

import pytest

from tasks.clusters.gateways.kubernetes import ObjectInvalid, RestCluster, kinds, list_all
from tests.clusters.contract.world import config_map

MAP = kinds.CONFIG_MAP


@pytest.fixture
def maps(cluster: RestCluster, space: str) -> str:
    """A namespace with config maps m0 to m6, every second one even."""
    for number in range(7):
        labels = {"parity": "even" if number % 2 == 0 else "odd", "number": str(number), "mine": "yes"}
        cluster.create(MAP, config_map(space, f"m{number}", labels=labels))
    return space


def names(cluster: RestCluster, space: str, labels: str | None = None, fields: str | None = None) -> list[str]:
    return [one["metadata"]["name"] for one in list_all(cluster, MAP, space, labels=labels, fields=fields)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("parity=even", "m0 m2 m4 m6"),
        ("parity!=even,mine", "m1 m3 m5"),
        ("number in (1,2)", "m1 m2"),
        ("number notin (0,1,2,3,4,5),mine=yes", "m6"),
        ("parity=odd,number=3", "m3"),
        ("mine,!number", ""),
        ("parity=strange", ""),
    ],
)
def test_labels_select(cluster: RestCluster, maps: str, labels: str, expected: str) -> None:
    assert names(cluster, maps, labels=labels) == expected.split()


def test_fields_select(cluster: RestCluster, maps: str) -> None:
    assert names(cluster, maps, fields="metadata.name=m3") == ["m3"]


def test_a_selector_that_cannot_be_read_is_refused(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.list_page(MAP, space, labels="a in (")


def test_pages_hold_each_object_once(cluster: RestCluster, maps: str) -> None:
    first = cluster.list_page(MAP, maps, labels="mine", limit=3)
    second = cluster.list_page(MAP, maps, labels="mine", limit=3, more=first.more)
    third = cluster.list_page(MAP, maps, labels="mine", limit=3, more=second.more)
    found = [one["metadata"]["name"] for page in (first, second, third) for one in page.items]
    assert found == [f"m{number}" for number in range(7)]
    assert third.more is None
    assert first.version == second.version == third.version


def test_pages_show_one_moment(cluster: RestCluster, maps: str) -> None:
    first = cluster.list_page(MAP, maps, limit=3)
    cluster.create(MAP, config_map(maps, "m5a"))
    second = cluster.list_page(MAP, maps, limit=50, more=first.more)
    assert "m5a" not in [one["metadata"]["name"] for one in second.items]
    assert "m5a" in names(cluster, maps)


def test_a_page_tells_how_many_are_left(cluster: RestCluster, maps: str) -> None:
    total = len(names(cluster, maps))
    assert cluster.list_page(MAP, maps, limit=2).remaining == total - 2


def test_a_place_in_a_list_that_nobody_gave_is_refused(cluster: RestCluster, space: str) -> None:
    with pytest.raises(ObjectInvalid):
        cluster.list_page(MAP, space, more="nonsense")


def test_all_namespaces_are_listed_together(cluster: RestCluster, maps: str) -> None:
    found = list_all(cluster, MAP, labels="mine,number=3")
    assert maps in [one["metadata"]["namespace"] for one in found]


def test_listed_objects_say_what_they_are(cluster: RestCluster, maps: str) -> None:
    listed = cluster.list_page(MAP, maps, fields="metadata.name=m1").items[0]
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "ConfigMap")
    assert listed == cluster.get(MAP, "m1", maps)
