"""What stages of pipelines make on clusters is what an API server takes, as it stands."""

from __future__ import annotations

from pathlib import Path

from app.kernel.addresses import AddressRules
from tasks.clusters.gateways.kubernetes import RestCluster, kinds
from tasks.pipelines.gateways.containers import Owner, PodRules, Service, Shape, Site, StageNeeds
from tasks.pipelines.gateways.containers.kubernetes.entry import ENTRY
from tasks.pipelines.gateways.containers.kubernetes.pods import boxes_of, outside_policy, pod_body
from tasks.pipelines.gateways.sandbox import Limits
from tests.clusters.contract.world import World

SERVICE = Service("db", "example/db:1", {"PRICE": "5$$ $(HOME)"}, ("serve", "--all"), 5432, None, 10)


def needs_of(world: World, space: str) -> StageNeeds:
    shapes = (Shape("example/image:1", 0.5, 256 << 20), Shape("example/image:1", 2.0, 1 << 30))
    return StageNeeds(
        owner=Owner("tests", "0b1f4ad5-3a31-4c4b-9d94-0f9b2b1f3c11", 1, "execution", "stage"),
        workspace=Path("/nowhere"),
        shapes=shapes,
        services=(SERVICE,),
        service_limits=Limits(60, memory_bytes=256 << 20, disk_bytes=1 << 30),
        seconds=60,
        network=True,
        node_selector={"pool": "builds"},
        site=Site("cluster", space, world.access),
    )


def test_a_stages_pod_and_its_policy_are_taken(world: World, cluster: RestCluster, space: str) -> None:
    needs = needs_of(world, space)
    rules = PodRules(AddressRules(), "example/helper:1", 60, 1000, {"kubernetes.io/os": "linux"})
    body = pod_body("headrace-test", needs, boxes_of(needs), rules, "if-missing")
    made = cluster.create(kinds.POD, body)
    policy = cluster.create(kinds.NETWORK_POLICY, outside_policy(body["metadata"], made, needs))

    assert [one["name"] for one in made["spec"]["containers"]] == ["workspace", "step-0", "step-1", "service-db"]
    assert made["spec"]["nodeSelector"] == {"pool": "builds", "kubernetes.io/os": "linux"}
    for wanted, taken in zip(body["spec"]["containers"], made["spec"]["containers"], strict=True):
        assert wanted["securityContext"].items() <= taken["securityContext"].items()
        assert wanted["resources"]["limits"].keys() <= taken["resources"]["limits"].keys()
    assert made["spec"]["securityContext"] == body["spec"]["securityContext"]
    assert made["spec"]["automountServiceAccountToken"] is False
    assert policy["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert policy["spec"]["egress"] == outside_policy(body["metadata"], made, needs)["spec"]["egress"]


def test_what_kubernetes_would_fill_in_stands_as_it_is_written(world: World, space: str) -> None:
    needs = needs_of(world, space)
    rules = PodRules(AddressRules(), "example/helper:1", 60, 1000)
    containers = pod_body("p", needs, boxes_of(needs), rules, "always")["spec"]["containers"]

    def expanded(text: str) -> str:
        return text.replace("$$", "$")

    assert expanded(containers[-1]["env"][0]["value"]) == "5$$ $(HOME)"
    assert "$(" not in containers[-1]["env"][0]["value"].replace("$$", "")
    assert expanded(containers[1]["env"][0]["value"]) == ENTRY
