"""What is refused, by which words, and where the fault is said to be."""

import json

import pytest

from app.pipelines.definition import DefinitionInvalid, parse, parse_tree
from tests.pipelines.definition.examples import SMALL, faults_of, only_fault_of, place_of


def one_step(step: str) -> str:
    return f"stages:\n  - name: a\n    steps:\n      - {{name: s, {step}}}\n"


def one_stage(stage: str) -> str:
    return f"stages:\n  - name: a\n    {stage}\n    steps: [{{name: s, run: make}}]\n"


def test_every_fault_is_named_at_once_in_the_order_of_the_text():
    text = """\
nme: x
timeout: 2d
stages:
  - name: a/b
    steps: []
  - steps:
      - {name: x, run: make, timeout: soon}
"""
    assert [(fault.path, fault.line, fault.column) for fault in faults_of(text)] == [
        ("nme", 1, 1),
        ("timeout", 2, 10),
        ("stages[0].name", 4, 11),
        ("stages[0].steps", 5, 12),
        ("stages[1].name", 6, 5),
        ("stages[1].steps[0].timeout", 7, 39),
    ]


def test_an_unknown_key_is_refused_with_the_one_that_was_meant():
    fault = only_fault_of(one_stage("dependson: [b]"))

    assert fault.path == "stages[0].dependson"
    assert fault.message == "is not a known key; did you mean 'depends_on'?"
    assert (fault.line, fault.column) == (3, 5)


def test_faults_of_decoded_json_have_a_path_and_no_line():
    with pytest.raises(DefinitionInvalid) as refusal:
        parse_tree({"stages": [{"name": "a", "steps": [{"name": 7, "run": ["x"]}]}]})

    (fault,) = refusal.value.faults
    assert (fault.path, fault.line, fault.column) == ("stages[0].steps[0].run", None, None)
    assert refusal.value.code == "VALIDATION_ERROR"


def test_faults_of_json_text_have_their_line_and_column():
    text = '{\n "stages": [\n  {"name": "a", "steps": [{"name": "s", "rn": "make"}]}\n ]\n}'
    fault = faults_of(text, "json")[0]

    assert "did you mean 'run'?" in faults_of(text, "json")[1].message
    assert (fault.path, fault.line, fault.column) == ("stages[0].steps[0]", *place_of(text, '{"name": "s"'))


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("[]", "", "must be a map of keys, not a list"),
        ("just text", "", "must be a map of keys, not text"),
        ("name: a", "stages", "is required"),
        ("stages: []", "stages", "at least 1"),
        ("stages: {a: b}", "stages", "must be a list, not a map"),
        (SMALL + "version: 2\n", "version", "must be one of 1, 1.0"),
        (SMALL + "type: minimal\n", "type", "must be one of standard, advanced"),
        (SMALL + "name: again\n", "name", "written twice"),
        (SMALL + "timeout: 0\n", "timeout", "between 1 and 86400"),
        (SMALL + "timeout: 25h\n", "timeout", "between 1 and 86400"),
        (SMALL + "timeout: 90 seconds\n", "timeout", "such as 90s, 10m or 1h30m"),
        (SMALL + "timeout: 1.5\n", "timeout", "must be a whole number"),
        (SMALL + "timeout: true\n", "timeout", "must be a whole number, not 'true'"),
        (SMALL + "timeout:\n", "timeout", "must be a whole number, not nothing"),
        (SMALL + "retry_count: 11\n", "retry_count", "between 0 and 10"),
        (SMALL + "environment: {1A: x}\n", "environment['1A']", "a variable's name"),
        (SMALL + "environment: {A: [1]}\n", "environment.A", "must be text, not a list"),
        (SMALL + "environment: {A: }\n", "environment.A", "must be text, not nothing"),
        (SMALL + "environment: {BRANCH: x}\n", "environment.BRANCH", "built-in variable"),
        (SMALL + "environment: {MATRIX_X: x}\n", "environment.MATRIX_X", "begins with MATRIX_"),
        (SMALL + "variables: {TAG: x}\n", "variables.TAG", "built-in variable"),
        (SMALL + "environment: {A: x}\nvariables: {A: y}\n", "variables.A", "given in environment too"),
        (SMALL + "triggers: [pushed]\n", "triggers[0]", "did you mean 'push'?"),
        (SMALL + "triggers: [{config: {}}]\n", "triggers[0].trigger_type", "is required"),
        (
            SMALL + "triggers: [{trigger_type: schedule, config: {cron_expression: daily}}]\n",
            "triggers[0].config.cron_expression",
            "five fields",
        ),
        (
            SMALL + "triggers: [{trigger_type: webhook, config: {webhook_url: 'ftp://x'}}]\n",
            "triggers[0].config.webhook_url",
            "http:// or https://",
        ),
        (
            SMALL + "notifications: {on_start: [{target_type: slack, config: {slack_token: xoxb-1}}]}\n",
            "notifications.on_start[0].config.slack_token",
            "a token does not belong in a definition",
        ),
        (one_stage("parallel: yes"), "stages[0].parallel", "must be true or false, not 'yes'"),
        (one_stage("artifacts: [/etc/passwd]"), "stages[0].artifacts[0]", "inside the checkout"),
        (one_stage("artifacts: [{path: a/../../b}]"), "stages[0].artifacts[0].path", "inside the checkout"),
        (one_stage("artifacts: [a, a]"), "stages[0].artifacts[1]", "second artifact named 'a'"),
        (one_stage("artifacts: ['a-${b c}']"), "stages[0].artifacts[0]", "written ${NAME}"),
        (one_stage("artifacts: ['${matrix.os}']"), "stages[0].artifacts[0]", "no axis 'os'"),
        (one_stage("condition: BRANCH = 'x'"), "stages[0].condition", "equality is written =="),
        (one_stage("condition: matrix.os == 'x'"), "stages[0].condition", "no axis 'os'"),
        (one_stage("when: manual"), "stages[0].when", "must be one of on_success, on_failure, always"),
        (one_stage("when: always, condition: always()".replace(", ", "\n    ")), "stages[0].condition", "beside when"),
        (one_stage("approval: {approvers: ['role:']}"), "stages[0].approval.approvers[0]", "name of a user, or role:"),
        (one_stage("approval: {expires_in: 5}"), "stages[0].approval.expires_in", "between 60 and"),
        (SMALL + "concurrency: {limit: 2}\n", "concurrency.group", "is required"),
        (SMALL + "concurrency: {group: 'a-${b c}'}\n", "concurrency.group", "written ${NAME}"),
        (one_step("run: a, command: b"), "stages[0].steps[0].command", "says the same as run"),
        (one_step("config: {script: a, command: b}"), "stages[0].steps[0].config.command", "says the same as"),
        (one_step("run: a, type: shell, step_type: shell"), "stages[0].steps[0].type", "says the same as step_type"),
        (one_step("timeout: 3"), "stages[0].steps[0]", "says nothing to do"),
        (one_step("run: ''"), "stages[0].steps[0].run", "must not be empty"),
        (one_step("run: a, args: [b]"), "stages[0].steps[0].args", "arguments of command"),
        (one_step("run: a, config: {image: alpine}"), "stages[0].steps[0].config.image", "not used by a shell step"),
        (one_step("run: a, working_directory: ../x"), "stages[0].steps[0].working_directory", "inside the checkout"),
        (one_step("run: a, network: off"), "stages[0].steps[0].network", "must be true or false, not 'off'"),
        (one_step("run: a, limits: {memory: lots}"), "stages[0].steps[0].limits.memory", "such as 512Mi"),
        (one_step("run: a, limits: {cpus: 0}"), "stages[0].steps[0].limits.cpus", "between 0.01 and 256"),
        (
            one_step("type: docker, config: {image: alpine, command: ls}"),
            "stages[0].steps[0].type",
            "step type 'docker' needs an executor this server does not have",
        ),
        (one_step("type: shel, run: a"), "stages[0].steps[0].type", "did you mean 'shell'?"),
    ],
)
def test_a_definition_is_refused_by_path_and_reason(text, path, words):
    fault = only_fault_of(text)

    assert fault.path == path
    assert words in fault.message
    assert fault.line is not None


@pytest.mark.parametrize("name", ["", "a/b", "x" * 101, "'a\\tb'", "..", "' a'", '"a\\u202eb"', '"a\\u0007"'])
def test_a_name_that_cannot_stand_in_a_path_or_a_page_is_refused(name):
    text = SMALL.replace("name: build", f"name: {name or repr(name)}").replace("'a\\tb'", '"a\\tb"')

    assert only_fault_of(text).path == "stages[0].name"


def test_names_must_differ_within_their_scope_only():
    twice = "stages: [{name: a, steps: [{name: s, run: x}, {name: s, run: y}]}, {name: a, steps: [{name: s, run: x}]}]"

    assert [fault.path for fault in faults_of(twice)] == ["stages[0].steps[1].name", "stages[1].name"]


def test_a_cycle_is_refused_with_its_line():
    text = """\
stages:
  - {name: first, depends_on: [], steps: [{name: s, run: x}]}
  - name: a
    depends_on: [c]
    steps: [{name: s, run: x}]
  - {name: b, depends_on: [a], steps: [{name: s, run: x}]}
  - {name: c, depends_on: [b], steps: [{name: s, run: x}]}
"""
    fault = only_fault_of(text)

    assert fault.message == "makes a cycle: a -> c -> b -> a"
    assert (fault.path, fault.line) == ("stages[1].depends_on", 4)


def test_the_implied_order_can_close_a_cycle_too():
    text = "stages: [{name: a, depends_on: [b], steps: [{name: s, run: x}]}, {name: b, steps: [{name: s, run: x}]}]"

    assert only_fault_of(text).message == "makes a cycle: a -> b -> a"


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        ("[lintt]", "there is no stage 'lintt'; did you mean 'lint'?"),
        ("[test]", "is the stage itself"),
        ("[lint, lint]", "twice"),
    ],
)
def test_depends_on_must_name_other_stages_once(needed, words):
    text = f"""\
stages:
  - {{name: lint, steps: [{{name: s, run: x}}]}}
  - {{name: test, depends_on: {needed}, steps: [{{name: s, run: x}}]}}
"""
    fault = only_fault_of(text)

    assert words in fault.message
    assert fault.line == 3


def test_a_fault_within_a_condition_has_its_own_column():
    text = 'stages:\n  - name: a\n    condition: "${BRANCH} == main"\n    steps: [{name: s, run: x}]\n'
    fault = only_fault_of(text)

    assert (fault.line, fault.column) == place_of(text, "main")
    assert "text is written in quotes: 'main'" in fault.message


def test_a_fault_within_a_folded_condition_says_which_character():
    text = "stages:\n  - name: a\n    condition: >-\n      BRANCH ==\n      main\n    steps: [{name: s, run: x}]\n"
    fault = only_fault_of(text)

    assert (fault.line, fault.column) == (3, 16)
    assert "(at character 11)" in fault.message


def test_a_server_with_more_executors_accepts_more_step_types():
    text = one_step("type: docker, config: {image: alpine, command: ls}")

    assert parse(text, "yaml", executors=frozenset({"shell", "docker"})).stages[0].steps[0].config == {
        "image": "alpine"
    }


def test_limits_on_the_number_of_stages_and_steps():
    stages = [{"name": f"s{n}", "steps": [{"name": "x", "run": "y"}]} for n in range(101)]
    steps = [{"name": f"s{n}", "run": "y"} for n in range(101)]

    assert only_fault_of(json.dumps({"stages": stages}), "json").message == "has 101 items; at most 100 are allowed"
    assert only_fault_of(json.dumps({"stages": [{"name": "a", "steps": steps}]}), "json").path == "stages[0].steps"


def test_faults_are_counted_but_not_listed_without_end():
    faults = faults_of(SMALL + "".join(f"x{n}: 1\n" for n in range(90)) + "environment: [" + "1," * 3 + "]\n")
    many = faults_of(SMALL + "environment: {" + ", ".join(f"A{n}: []" for n in range(100)) + "}\nx: 1\ny: 1\n")

    assert len(faults) == 91
    assert len(many) == 101
    assert many[-1].message == "and 2 more faults"
