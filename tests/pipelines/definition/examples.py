"""Definitions the tests start from, and what they ask of a refusal."""

from app.pipelines.definition import DefinitionInvalid, Fault, parse

SMALL = """\
name: small
stages:
  - name: build
    steps:
      - name: compile
        run: make
"""

FULL = """\
version: "1.0"
name: everything
description: Every key of the language once.
type: advanced
triggers:
  - push
  - trigger_type: pull_request
    config: {branch_patterns: [main, release/*], events: [opened], repository: acme/shop, path: src}
  - trigger_type: schedule
    config: {cron_expression: "0 3 * * 1-5"}
  - trigger_type: git_tag
    config: {tag_patterns: ["v*"]}
  - trigger_type: webhook
    config: {webhook_url: "https://ci.example.com/hook"}
environment: {LEVEL: pipeline, RELEASE: 1.10}
variables: {COLOUR: on}
timeout: 1h30m
retry_count: 1
notifications:
  on_start: [{target_type: webhook, config: {webhook_url: "https://example.com/x"}}]
  on_success: [{target_type: slack, config: {slack_channel: "#ci", slack_token: "${SLACK_TOKEN}"}}]
  on_failure:
    - {target_type: email, config: {email: team@example.com}}
    - {target_type: git_hub, config: {github_status: true}}
stages:
  - name: lint
    description: Quick and quiet.
    parallel: true
    network: false
    image: python:${PYTHON:-3.12}
    services:
      - name: db
        image: postgres:16
        environment: {POSTGRES_PASSWORD: "${LEVEL}"}
        command: [postgres, -c, fsync=off]
        port: 5432
        ready: pg_isready
        timeout: 2m
    depends_on: []
    steps:
      - {name: ruff, run: ruff check ., image: "host.example:5000/ruff@sha256:0123"}
      - {name: types, step_type: shell, config: {script: mypy, environment: {STRICT: true}, working_directory: src}}
  - name: test
    depends_on: [lint]
    condition: ${BRANCH} == 'main' && matrix.python >= 3.9
    timeout: 900
    retry_count: 2
    continue_on_error: true
    environment: {LEVEL: stage}
    matrix:
      python: [3.11, "3.12"]
      db: [postgres, sqlite]
      exclude: [{python: 3.12, db: sqlite}]
      include: [{python: 3.13, db: postgres}]
    artifacts:
      - reports/**
      - {name: "junit-${matrix.python}-${matrix.db}", path: "out/junit.xml", retention: 7d}
    cache:
      - {key: "pip-${hash:req.txt,src/*.lock}-${matrix.db}", paths: [.cache/pip], restore_keys: [pip-], policy: pull}
      - {key: all, paths: [node_modules]}
    reports: {junit: ["out/*.xml", "${REPORTS:-more}/*.xml"]}
    steps:
      - name: pytest
        command: pytest
        args: [-q, --maxfail, 1]
        condition: success()
        continue_on_error: true
        timeout: 10m
        retry_count: 1
        environment: {LEVEL: step}
        secrets: [PYPI_TOKEN]
        working_directory: src/${matrix.db}
        network: false
        limits: {memory: 512Mi, cpus: 500m, processes: 64, file_size: 500MB}
  - name: deploy
    steps:
      - {name: ship, type: shell, config: {command: ./ship, disable_deployment_detection: true}}
"""


def faults_of(text: str | bytes, media_type: str = "yaml") -> list[Fault]:
    """The faults of a definition; fails the test when it has none."""
    try:
        parse(text, media_type)
    except DefinitionInvalid as error:
        return list(error.faults)
    raise AssertionError("the definition was accepted")


def only_fault_of(text: str | bytes, media_type: str = "yaml") -> Fault:
    """The one fault of a definition; fails the test when there are none or more."""
    (fault,) = faults_of(text, media_type)
    return fault


def place_of(text: str, needle: str) -> tuple[int, int]:
    """Line and column, from 1, of the first occurrence of `needle`."""
    before = text[: text.index(needle)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
