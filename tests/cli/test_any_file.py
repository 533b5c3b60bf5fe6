"""What holds for every file, whatever is in it: a valid definition or a refusal, and nothing left out in silence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from app.pipelines.definition import parse
from cli.converting import Kind, NotConvertible, Source, convert
from cli.sources import Group, find_groups, read_sources

FILES = Path(__file__).parent / "files"
GROUPS = find_groups([FILES / name for name in ("github", "gitlab", "woodpecker")], None)
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [" + ", ".join([f"*{chr(97 + n)}"] * 9) + "]\n" for n in range(8)
)
LONG = "9" * 5000
HOSTILE = {
    "empty": "",
    "a list": "[1, 2]",
    "deep": "jobs: " + "[" * 200,
    "a bomb of aliases": BOMB,
    "a tag": "jobs: !!python/object/apply:os.system [id]",
    "a NUL": "jobs: {a: {steps: [{run: 'x\x00y'}]}}",
    "many lines": "\n" * 300_000,
    "a long expression": "jobs: {a: {if: '" + "(" * 3000 + "', steps: [{run: x}]}}",
    "a matrix of millions": "jobs: {a: {strategy: {matrix: {a: [1,2,3,4,5,6,7,8,9], b: [1,2,3,4,5,6,7,8,9], "
    "c: [1,2,3,4,5,6,7,8,9]}}, steps: [{run: x}]}}",
    "a circle": "a: {extends: b, script: x}\nb: {extends: a, script: x}",
    "a comment in a name": 'jobs: {"a\\n- evil: 1": {name: "b\\u2028# c", steps: [{run: x, name: "x\\n  run: rm"}]}}',
    "blank lines of hashes": "#\n \n" * 5000 + "spec: {}\n",
    "no number of minutes": "jobs: {a: {timeout-minutes: nan, steps: [{run: x, timeout-minutes: 1e400}]}}",
    "numbers of 5000 digits": f"a: {{script: x, retry: {LONG}, parallel: {LONG}, timeout: {LONG}}}\n"
    f"jobs: {{b: {{steps: [{{uses: actions/upload-artifact@v4, with: {{path: x, retention-days: {LONG}}}}}]}}}}",
}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group.kind} {group.name}")
def test_what_comes_out_passes_the_check_of_the_platform(group: Group) -> None:
    made = convert(group.kind, read_sources(group))
    assert parse(made.text, "yaml").stages
    assert convert(group.kind, read_sources(group)).text == made.text


@pytest.mark.parametrize("kind", ["github", "gitlab", "woodpecker"])
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_refused_or_made_harmless(what: str, kind: Kind) -> None:
    try:
        made = convert(kind, [Source("ci.yml", HOSTILE[what])])
    except NotConvertible:
        return
    definition = parse(made.text, "yaml")
    assert "rm" not in [step.run for stage in definition.stages for step in stage.steps]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: f"{group.kind} {group.name}")
def test_a_damaged_file_is_converted_or_refused(group: Group) -> None:
    sources = read_sources(group)
    chance = random.Random(7)
    for _ in range(60):
        damaged = [Source(source.name, _damage(source.text, chance)) for source in sources]
        try:
            made = convert(group.kind, damaged)
        except NotConvertible:
            continue
        assert parse(made.text, "yaml").stages


def _damage(text: str, chance: random.Random) -> str:
    """Swap, cut and repeat pieces of lines."""
    lines = text.split("\n")
    for _ in range(chance.randint(1, 4)):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines[at], lines[other] = lines[other], lines[at]
            case 2:
                head, colon, _ = lines[at].partition(":")
                lines[at] = head + colon + (" " + lines[other].partition(":")[2].strip() if colon else "")
            case _:
                lines[at] = lines[at].replace("[", "{", 1).replace("]", "}", 1)
        lines = lines or [""]
    return "\n".join(lines)
