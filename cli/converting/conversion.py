"""One conversion: files of one kind in, one definition that is valid out, with what there is to say of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from app.pipelines.definition import DefinitionInvalid, parse
from cli.converting.github import convert_workflow
from cli.converting.gitlab import convert_pipeline
from cli.converting.notes import NotConvertible, Note, Notes
from cli.converting.shaping import Tree, settle, tidy
from cli.converting.source import Source
from cli.converting.woodpecker import convert_workflows
from cli.converting.writing import write_yaml

Kind = Literal["github", "gitlab", "woodpecker"]


@dataclass(frozen=True, slots=True)
class Conversion:
    """`text` is a definition that passes the check of the platform."""

    text: str
    notes: tuple[Note, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out and nothing changed its meaning."""
        return all(note.weight != "lost" for note in self.notes)


def _workflow(sources: Sequence[Source], notes: Notes) -> Tree:
    return convert_workflow(sources[0], notes)


def _pipeline(sources: Sequence[Source], notes: Notes) -> Tree:
    return convert_pipeline(sources[0], notes)


KINDS: Final[dict[Kind, Callable[[Sequence[Source], Notes], Tree]]] = {
    "github": _workflow,
    "gitlab": _pipeline,
    "woodpecker": convert_workflows,
}


def convert(kind: Kind, sources: Sequence[Source]) -> Conversion:
    """Convert what makes one pipeline: a workflow, a .gitlab-ci.yml, or all workflows of Woodpecker.

    Raises NotConvertible.
    """
    notes = Notes(sources[0].name)
    try:
        tree = KINDS[kind](sources, notes)
        tidy(tree)
        settle(tree, notes)
    except RecursionError:
        raise NotConvertible("is nested too deeply") from None
    text = _head(sources) + write_yaml(tree, _comments(notes))
    try:
        parse(text, "yaml")
    except DefinitionInvalid as error:
        raise NotConvertible(f"what came of it is no definition: {error.faults[0]}") from None
    return Conversion(text, notes.all)


def _head(sources: Sequence[Source]) -> str:
    names = ", ".join(ascii(source.name)[1:-1] for source in sources)
    return f"# Converted from {names[:200]} by headrace import. Comments say what differs.\n"


def _comments(notes: Notes) -> Callable[[Any], list[str]]:
    def comments(part: Any) -> list[str]:
        said = (f"{note.what}: {note.message}" for note in notes.of(part) if note.weight != "moot")
        return list(dict.fromkeys(said))

    return comments
