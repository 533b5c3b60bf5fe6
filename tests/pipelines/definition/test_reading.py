"""What a definition is read as."""

import json

import pytest

from app.pipelines.definition import Artifact, Definition, Limits, Trigger, parse, parse_tree
from tests.pipelines.definition.examples import FULL, SMALL


def test_a_small_definition_gets_every_default():
    definition = parse(SMALL, "yaml")

    assert definition.name == "small"
    assert definition.timeout == 3600
    (stage,) = definition.stages
    assert (stage.depends_on, stage.network, stage.parallel, stage.retry_count) == ((), True, False, None)
    (step,) = stage.steps
    assert (step.run, step.step_type, step.working_directory, step.timeout) == ("make", "shell", ".", None)


def test_every_key_of_the_language_is_read():
    definition = parse(FULL, "yaml")
    lint, test, deploy = definition.stages

    assert definition.timeout == 5400
    assert definition.environment == {"LEVEL": "pipeline", "RELEASE": "1.10", "COLOUR": "on"}
    assert [trigger.trigger_type for trigger in definition.triggers] == [
        "git_push", "pull_request", "schedule", "git_tag", "webhook",
    ]  # fmt: skip
    assert definition.triggers[1].config.branch_patterns == ("main", "release/*")
    assert definition.notifications.on_failure[1].target_type == "github"
    assert lint.steps[1].run == "mypy"
    assert lint.steps[1].environment == {"STRICT": "true"}
    assert lint.steps[1].working_directory == "src"
    assert (test.steps[0].command, test.steps[0].args) == ("pytest", ("-q", "--maxfail", "1"))
    assert test.steps[0].limits == Limits(memory=512 * 1024**2, cpus=0.5, processes=64, file_size=500_000_000)
    assert test.artifacts[0] == Artifact("reports/**")
    assert test.artifacts[1].retention == 7 * 86_400
    assert deploy.steps[0].run == "./ship"


def test_a_stage_without_depends_on_follows_the_one_before_it_and_an_empty_list_starts_at_once():
    names = {stage.name: stage.depends_on for stage in parse(FULL, "yaml").stages}

    assert names == {"lint": (), "test": ("lint",), "deploy": ("test",)}


def test_the_same_definition_in_json_reads_the_same():
    stored = parse(FULL, "yaml").to_json()

    assert parse(json.dumps(stored), "json") == parse(FULL, "yaml") == parse_tree(stored)


def test_the_stored_form_reads_back_as_it_was_in_any_order_of_keys():
    definition = parse(FULL, "yaml")
    reordered = json.loads(json.dumps(definition.to_json(), sort_keys=True))

    assert Definition.from_json(reordered) == definition
    assert Definition.from_json(reordered).stages[1].matrix.cells() == definition.stages[1].matrix.cells()


@pytest.mark.parametrize(
    "written", ["1.10", "yes", "on", "012", "0x1F", "1_000", "2024-01-01", "12:30:00", ".5", "1e3"]
)
def test_text_is_taken_as_written_where_yaml_would_make_something_else_of_it(written):
    text = SMALL + f"environment: {{VALUE: {written}}}\n"

    assert parse(text, "yaml").environment == {"VALUE": written}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("push", "git_push"),
        ("git_push", "git_push"),
        ("tag", "git_tag"),
        ("scheduled", "schedule"),
        ("manual", "manual"),
        ("pull_request", "pull_request"),
    ],
)
def test_a_trigger_has_a_short_and_a_long_form(written, meant):
    short = parse(SMALL + f"triggers: [{written}]\n", "yaml").triggers
    long = parse(SMALL + f"triggers: [{{trigger_type: {written}, config: {{}}}}]\n", "yaml").triggers

    assert short == long == (Trigger(meant),)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("aws", "aws"),
        ("a_w_s", "aws"),
        ("g_c_p", "gcp"),
        ("git_hub", "github"),
        ("gitlab", "gitlab"),
        ("git_lab", "gitlab"),
    ],
)
@pytest.mark.parametrize("key", ["step_type", "type"])
def test_both_spellings_of_a_step_type_are_one_type(key, written, meant):
    text = f"stages: [{{name: a, steps: [{{name: b, {key}: {written}, config: {{region: eu}}}}]}}]"
    definition = parse(text, "yaml", executors=frozenset({"shell", meant}))

    assert definition.stages[0].steps[0].step_type == meant
    assert definition.stages[0].steps[0].config == {"region": "eu"}


@pytest.mark.parametrize(
    ("spelling", "run", "command"),
    [
        ("run: make all", "make all", None),
        ("command: make all", "make all", None),
        ("config: {script: make all}", "make all", None),
        ("config: {command: make all}", "make all", None),
        ("{command: make, args: []}", None, "make"),
    ],
)
def test_the_ways_to_say_what_a_step_does(spelling, run, command):
    text = f"stages: [{{name: a, steps: [{{name: b, {spelling.strip('{}') if spelling[0] == '{' else spelling}}}]}}]"
    (step,) = parse(text, "yaml").stages[0].steps

    assert (step.run, step.command) == (run, command)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("1h", 3600), ("24h", 86_400), ("60.0", 60)],
)
def test_durations(written, seconds):
    assert parse(SMALL + f"timeout: {written}\n", "yaml").timeout == seconds


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("1048576", 1024**2),
        ("512Mi", 512 * 1024**2),
        ("1.5GiB", 3 * 1024**3 // 2),
        ("500MB", 500_000_000),
        ("2G", 2 * 10**9),
    ],
)
def test_sizes(written, size):
    text = f"stages: [{{name: a, steps: [{{name: b, run: c, limits: {{memory: {written}}}}}]}}]"

    assert parse(text, "yaml").stages[0].steps[0].limits.memory == size


def test_anchors_aliases_and_merge_keys_are_followed():
    text = """\
stages:
  - name: a
    environment: &common {LEVEL: one, COLOUR: red}
    steps: &steps [{name: s, run: make}]
  - name: b
    environment: {<<: *common, LEVEL: two}
    steps: *steps
"""
    first, second = parse(text, "yaml").stages

    assert second.environment == {"LEVEL": "two", "COLOUR": "red"}
    assert second.steps == first.steps


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    assert parse(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode(), "yaml") == parse(SMALL, "yaml")
