"""Workflows of Woodpecker."""

from __future__ import annotations

from app.pipelines.definition import parse
from cli.converting import convert
from cli.sources import find_groups, read_sources
from tests.cli.conftest import FILES, Converter


def test_all_workflows_become_the_stages_of_one_pipeline() -> None:
    (group,) = find_groups([FILES / "woodpecker"], None)
    made = convert(group.kind, read_sources(group))
    build, deploy = parse(made.text, "yaml").stages
    assert deploy.depends_on == ("build",)
    assert (deploy.condition, deploy.when) == ("false", "always")
    assert build.matrix is not None
    assert len(build.matrix.cells()) == 2
    assert [step.name for step in build.steps] == ["build", "newest", "tell"]
    assert [step.image for step in build.steps] == ["golang", "golang", "curl"]
    assert build.services is not None
    assert [(each.name, each.image) for each in build.services] == [("db", "postgres")]
    assert build.steps[1].continue_on_error
    assert build.steps[1].condition == "matrix.GO_VERSION == '1.22'"
    lost = {note.what for note in made.notes if note.weight == "lost"}
    assert lost == {"plugin plugins/docker", "skip_clone", "when: evaluate", "when: path"}


def test_secrets_are_found_under_the_names_that_scripts_use(converted: Converter) -> None:
    secrets = "secrets: [{source: key, target: the_key}], environment: {T: {from_secret: tok}}"
    text = f"steps: [{{name: a, image: b, commands: [env], {secrets}}}]"
    step = parse(converted("woodpecker", text).text, "yaml").stages[0].steps[0]
    assert step.secrets == ("key", "tok")
    assert step.run == 'export T="$tok"\nexport the_key="$key"\nenv\n'
