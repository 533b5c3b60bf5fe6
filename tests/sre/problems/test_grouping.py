"""What belongs together, and what came first."""

from __future__ import annotations

import random
from uuid import UUID

from app.kernel.ids import new_id
from app.sre.facts import KINDS, Thing
from app.sre.problems.grouping import Group, Known, group
from app.sre.problems.signals import Signal
from tests.support.problems import alert, anomaly, fact, minutes

NODE = Thing("Node", "", "n1")
WEB = Thing("Deployment", "shop", "web")
CART = Thing("Deployment", "shop", "cart")
LEDGER = Thing("Deployment", "bank", "ledger")


def kinds(found: list[Group]) -> set[frozenset[str]]:
    return {frozenset(one.kind for one in some.signals) for some in found}


def test_a_node_that_is_lost_explains_what_lies_on_it_and_what_finds_no_room() -> None:
    lost = fact("NodeNotReady", NODE, 0)
    waits = fact("PodPending", LEDGER, 6, trait="cpu")
    late = alert("KubePodNotReady", 15, LEDGER)
    seen = alert("ServiceDown", 2, WEB, NODE)
    (found,) = group([late, waits, seen, lost])
    assert found.cause.signal == lost
    assert found.cause.explained == 3
    assert 0.6 < found.cause.confidence < 1
    assert found.explanations[late.key].by == waits.key
    assert found.explanations[late.key].reason


def test_what_has_nothing_in_common_stays_apart() -> None:
    found = group([fact("ImagePullBackOff", LEDGER, 0, trait="image"), fact("OOMKilled", CART, 1)])
    assert len(found) == 2


def test_a_pod_that_fits_no_node_by_its_own_rules_is_not_explained_by_a_node_that_is_lost() -> None:
    found = group([fact("NodeNotReady", NODE, 0), fact("PodPending", WEB, 3, trait="placement")])
    assert len(found) == 2


def test_a_strong_link_wins_over_a_near_one() -> None:
    own = fact("FailedJob", Thing("CronJob", "shop", "report"), 0)
    other = fact("CrashLoopBackOff", WEB, 9)
    told = alert("KubeJobFailed", 10, Thing("CronJob", "shop", "report"))
    assert kinds(group([own, other, told])) == {
        frozenset({"FailedJob", "KubeJobFailed"}),
        frozenset({"CrashLoopBackOff"}),
    }


def test_what_is_seen_before_its_cause_is_listed_belongs_to_it() -> None:
    (found,) = group([alert("HighErrorRate", 0, WEB), fact("CrashLoopBackOff", WEB, 4)])
    assert found.cause.signal.kind == "CrashLoopBackOff"


def test_what_began_long_before_is_of_something_else() -> None:
    found = group([alert("HighErrorRate", -600, Thing("Service", "shop", "x")), fact("CrashLoopBackOff", WEB, 0)])
    assert len(found) == 2


def test_what_is_over_explains_nothing_that_begins_later() -> None:
    over = fact("CrashLoopBackOff", WEB, 0, ended_at=minutes(5))
    known = Known(new_id(), minutes(0), [over])
    assert len(group([alert("HighErrorRate", 14, WEB)], [known])) == 1
    assert len(group([alert("HighErrorRate", 60, WEB)], [known])) == 2


def test_one_anomaly_is_no_problem_and_three_are() -> None:
    some = [anomaly(f"latency{number}", number, WEB) for number in range(3)]
    assert [one.opens for one in group(some[:2])] == [False]
    assert [one.opens for one in group(some)] == [True]


def test_without_a_fact_the_first_alert_is_suspected_and_hardly_trusted() -> None:
    (found,) = group([alert("HighErrorRate", 3, WEB), alert("HighLatency", 0, WEB)])
    assert found.cause.signal.kind == "HighLatency"
    assert found.cause.confidence < 0.65
    (alone,) = group([alert("HighLatency", 0, WEB)])
    assert alone.cause.confidence == 0.3


def test_what_was_one_problem_stays_one_and_a_later_cause_joins_two() -> None:
    first, second = alert("ServiceDown", 0, WEB, NODE), alert("ServiceDown2", 1, LEDGER, NODE)
    known = [Known(new_id(), minutes(0), [first]), Known(new_id(), minutes(1), [second])]
    apart = group([first, second], known)
    assert [len(one.problems) for one in apart] == [1, 1]
    (joined,) = group([first, second, fact("NodeNotReady", NODE, 1)], known)
    assert joined.problems == [known[0].id, known[1].id]
    assert joined.cause.signal.kind == "NodeNotReady"


def test_images_of_one_registry_that_is_away_are_one_problem_and_missing_tags_are_several() -> None:
    def failing(trait: str) -> list[Signal]:
        return [fact("ImagePullBackOff", one, at, trait=trait) for at, one in enumerate((WEB, LEDGER))]

    assert len(group(failing("registry:reg.example.com"))) == 1
    assert len(group(failing("image"))) == 2


def test_every_signal_is_in_one_group_and_none_explains_itself() -> None:
    chosen = random.Random(7)
    things = [NODE, WEB, CART, LEDGER, Thing("PersistentVolumeClaim", "shop", "data")]
    for _ in range(30):
        signals = {}
        for number in range(40):
            at, places = chosen.uniform(-60, 60), chosen.sample(things, 2)
            kind = chosen.choice([*KINDS, ""])
            one = fact(kind, places[0], at, *places) if kind else alert(f"a{number}", at, *places)
            signals[one.key] = one
        found = group(signals.values(), _known(list(signals.values())[:9]))
        assert sorted(one.key for some in found for one in some.signals) == sorted(signals)
        for some in found:
            assert some.cause.signal.key not in some.explanations
            for key in some.explanations:
                _climb(some, key)


def _known(signals: list[Signal]) -> list[Known]:
    return [Known(UUID(int=index), minutes(index), signals[index : index + 3]) for index in range(0, len(signals), 3)]


def _climb(found: Group, key: str) -> None:
    passed = set()
    while key in found.explanations:
        assert key not in passed
        passed.add(key)
        key = found.explanations[key].by
