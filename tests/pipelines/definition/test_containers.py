"""Images and services in a definition: what they are read as, and what is wrong with them, with its line."""

import pytest

from app.pipelines.definition import SHELL_ONLY, DefinitionInvalid, Plan, RunContext, Service, make_plan, parse
from tests.pipelines.definition.examples import SMALL, only_fault_of, place_of

WITH_SERVICE = """\
name: small
stages:
  - name: build
    image: python:3.12
    services:
      - {name: db, image: "postgres:16", port: 5432}
    steps:
      - {name: compile, run: make}
      - {name: page, run: npm test, image: node}
"""


def test_steps_have_their_stages_image_or_their_own():
    (stage,) = make_plan(parse(WITH_SERVICE, "yaml"), RunContext.blank("x")).stages

    assert [step.image for step in stage.steps] == ["python:3.12", "node"]
    assert stage.services == (Service("db", "postgres:16", port=5432, timeout=60),)


def test_a_plan_with_services_is_read_back_as_it_was():
    plan = make_plan(parse(WITH_SERVICE, "yaml"), RunContext.blank("x"))

    assert Plan.from_json(plan.to_json()) == plan


def test_a_plan_of_a_definition_without_images_does_not_speak_of_them():
    (stage,) = make_plan(parse(SMALL, "yaml"), RunContext.blank("x")).to_json()["stages"]

    assert "services" not in stage
    assert "image" not in stage["steps"][0]


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("python:3.12", "stages[0].image"),
        ('"postgres:16"', "stages[0].services[0].image"),
        ("node}", "stages[0].steps[1].image"),
    ],
)
def test_without_an_engine_images_are_refused_where_they_stand(place, path):
    with pytest.raises(DefinitionInvalid) as refused:
        parse(WITH_SERVICE, "yaml", executors=SHELL_ONLY)
    faults = {fault.path: fault for fault in refused.value.faults}

    assert "needs a container sandbox" in faults[path].message
    assert (faults[path].line, faults[path].column) == place_of(WITH_SERVICE, place)


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ("image: node", 'image: "-v /:/host"', "stages[0].steps[1].image", "an image is written as"),
        ("image: node", "image: a b", "stages[0].steps[1].image", "an image is written as"),
        ("image: node", 'image: "x${matrix.y}"', "stages[0].steps[1].image", "has no axis 'y'"),
        ("image: node", 'image: "x${"', "stages[0].steps[1].image", "a variable is written"),
        ("name: db", "name: D_B", "stages[0].services[0].name", "host name"),
        ("name: db", "name: localhost", "stages[0].services[0].name", "own machine"),
        ("port: 5432", "port: 70000", "stages[0].services[0].port", "between 1 and 65535"),
        ("port: 5432", "environment: {BRANCH: x}", "stages[0].services[0].environment.BRANCH", "built-in"),
        ("port: 5432", "timeout: 2h", "stages[0].services[0].timeout", "between"),
        ("port: 5432", "volumes: [/]", "stages[0].services[0].volumes", "not a known key"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(old, new, path, says):
    fault = only_fault_of(WITH_SERVICE.replace(old, new))

    assert fault.path == path
    assert says in fault.message


def test_two_services_cannot_have_one_name():
    text = WITH_SERVICE.replace("    steps:", "      - {name: db, image: redis}\n    steps:")

    assert only_fault_of(text).path == "stages[0].services[1].name"


def test_a_stage_may_name_the_nodes_its_pod_runs_on():
    text = WITH_SERVICE.replace(
        "    image: python:3.12\n", "    node_selector: {pool: builds, example.com/arch: arm64}\n"
    )
    plan = make_plan(parse(text, "yaml"), RunContext.blank("x"))

    assert plan.stages[0].node_selector == {"pool": "builds", "example.com/arch": "arm64"}
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("labels", ['{"-x": y}', "{a/b/c: d}", "{a: b/c}", "{a: 'x y'}", "{a: [b]}", "pool"])
def test_what_is_no_label_of_a_node_is_refused(labels):
    text = WITH_SERVICE.replace("    image: python:3.12\n", f"    node_selector: {labels}\n")

    assert only_fault_of(text).path.startswith("stages[0].node_selector")
