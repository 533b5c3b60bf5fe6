"""The forms a value may have. Each reads a node into plain Python, naming its faults, and states itself as JSON Schema.

Parser and published schema come from the same objects, so they cannot say different things. What a form could not
read is None: nothing in the language is null, so None always means missing or already refused.
"""

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

from app.pipelines.definition.faults import Faults, child, item, shorten
from app.pipelines.definition.tree import Entry, Listing, Mapping, Node, Scalar

Schema = dict[str, Any]


class Form(Protocol):
    def read(self, node: Node, path: str, faults: Faults) -> Any: ...

    def schema(self) -> Schema: ...


@dataclass(frozen=True)
class Text:
    """Text, taken as written: `1.10` stays `1.10`. With `strict` a number or a boolean is refused instead.

    `hint` says in a reader's words what `pattern` asks for; the pattern must hold for the whole text.
    """

    at_most: int = 200
    at_least: int = 1
    pattern: str = ""
    hint: str = ""
    strict: bool = False

    def read(self, node: Node, path: str, faults: Faults) -> str | None:
        if not isinstance(node, Scalar) or node.value is None or (self.strict and not isinstance(node.value, str)):
            faults.add(path, f"must be text, not {node.kind}")
            return None
        return node.text if self.accepts(node.text, path, faults) else None

    def accepts(self, text: str, path: str, faults: Faults) -> bool:
        if len(text) < self.at_least:
            faults.add(path, "must not be empty")
        elif len(text) > self.at_most:
            faults.add(path, f"has {len(text)} characters; at most {self.at_most} are allowed")
        elif self.pattern and not re.fullmatch(self.pattern, text):
            faults.add(path, f"is {shorten(text)}; {self.hint}")
        else:
            return True
        return False

    def schema(self) -> Schema:
        bounds: Schema = {"minLength": self.at_least} if self.at_least else {}
        bounds["maxLength"] = self.at_most
        if self.pattern:
            bounds["pattern"] = f"^(?:{self.pattern})$"
        return {"type": "string" if self.strict else ["string", "number", "boolean"], **bounds}


@dataclass(frozen=True)
class Word:
    """One of a few words; the key is what may be written, the value what it is read as."""

    words: dict[str, str]

    def read(self, node: Node, path: str, faults: Faults) -> str | None:
        text = node.text if isinstance(node, Scalar) and node.value is not None else None
        if text in self.words:
            return self.words[text]
        faults.add(path, f"must be one of {', '.join(self.words)}" + suggest(text or "", self.words))
        return None

    def schema(self) -> Schema:
        numbers = [float(word) for word in self.words if word.isdecimal()]
        return {"enum": [*self.words, *numbers]}


@dataclass(frozen=True)
class Flag:
    def read(self, node: Node, path: str, faults: Faults) -> bool | None:
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        faults.add(path, f"must be true or false, not {_show(node)}")
        return None

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number:
    """A number within bounds; with `whole`, 2.0 counts as 2 and 2.5 is refused."""

    at_least: float
    at_most: float
    whole: bool = True

    def read(self, node: Node, path: str, faults: Faults) -> int | float | None:
        number = node.number if isinstance(node, Scalar) else None
        if number is None or (self.whole and number != int(number)):
            faults.add(path, f"must be a {'whole ' if self.whole else ''}number, not {_show(node)}")
            return None
        if not self.at_least <= number <= self.at_most:
            faults.add(path, f"is {_show(node)}; it must be between {self.at_least:.15g} and {self.at_most:.15g}")
            return None
        return int(number) if self.whole else float(number)

    def schema(self) -> Schema:
        kind = "integer" if self.whole else "number"
        return {"type": kind, "minimum": self.at_least, "maximum": self.at_most}


@dataclass(frozen=True)
class ListOf:
    """A list; what an item could not be read as stays None, so that places keep their numbers."""

    items: Form
    at_least: int = 0
    at_most: int = 100

    def read(self, node: Node, path: str, faults: Faults) -> list[Any] | None:
        if not isinstance(node, Listing):
            faults.add(path, f"must be a list, not {node.kind}")
            return None
        if len(node.items) > self.at_most:
            faults.add(path, f"has {len(node.items)} items; at most {self.at_most} are allowed")
            return None
        if len(node.items) < self.at_least:
            faults.add(path, f"needs at least {self.at_least} item")
        return [read_at(self.items, each, item(path, index), faults) for index, each in enumerate(node.items)]

    def schema(self) -> Schema:
        least: Schema = {"minItems": self.at_least} if self.at_least else {}
        return {"type": "array", "items": self.items.schema(), **least, "maxItems": self.at_most}


@dataclass(frozen=True)
class Key:
    """A key of a record. `doc` is one sentence for the reader of the schema."""

    form: Form
    doc: str
    required: bool = False
    default: Any = None

    def schema(self) -> Schema:
        default = {} if self.default is None else {"default": self.default}
        return {"description": self.doc, **default, **self.form.schema()}


@dataclass(frozen=True)
class Record:
    """A map of known keys. With `names` and `values` other keys are allowed too, if they fit."""

    keys: dict[str, Key] = field(default_factory=dict)
    names: Text | None = None
    values: Form | None = None
    at_most: int = 100

    def read(self, node: Node, path: str, faults: Faults) -> dict[str, Any] | None:
        if not isinstance(node, Mapping):
            faults.add(path, f"must be a map of keys, not {node.kind}")
            return None
        for name, key in self.keys.items():
            if key.required and name not in node.entries:
                faults.add(child(path, name), "is required", node.place)
        if len(node.entries) > self.at_most + len(self.keys):
            faults.add(path, f"has {len(node.entries)} keys; at most {self.at_most + len(self.keys)} are allowed")
            return None
        read = {name: self._read_entry(entry, child(path, name), faults) for name, entry in node.entries.items()}
        return {name: value for name, value in read.items() if value is not None}

    def _read_entry(self, entry: Entry, path: str, faults: Faults) -> Any:
        if known := self.keys.get(entry.key):
            return read_at(known.form, entry.node, path, faults)
        if self.names is None or self.values is None:
            faults.add(path, "is not a known key" + suggest(entry.key, self.keys), entry.place)
            return None
        faults.remember(path, entry.place)
        if not self.names.accepts(entry.key, path, faults):
            return None
        return read_at(self.values, entry.node, path, faults)

    def schema(self) -> Schema:
        schema: Schema = {"type": "object"}
        if self.keys:
            schema["properties"] = {name: key.schema() for name, key in self.keys.items()}
        if required := [name for name, key in self.keys.items() if key.required]:
            schema["required"] = required
        if self.names is None or self.values is None:
            return {**schema, "additionalProperties": False}
        names = self.names.schema()
        names.pop("type")
        if self.keys:
            names = {"anyOf": [{"enum": list(self.keys)}, names]}
        bounds = {"propertyNames": names, "maxProperties": self.at_most + len(self.keys)}
        return {**schema, **bounds, "additionalProperties": self.values.schema()}


@dataclass(frozen=True)
class Either:
    """A short form written as one scalar, or the long form."""

    short: Form
    long: Form

    def read(self, node: Node, path: str, faults: Faults) -> Any:
        form = self.short if isinstance(node, Scalar) and node.value is not None else self.long
        return form.read(node, path, faults)

    def schema(self) -> Schema:
        return {"anyOf": [self.short.schema(), self.long.schema()]}


@dataclass(frozen=True)
class Anything:
    """Values meant for a plug-in: read as JSON and passed on."""

    def read(self, node: Node, path: str, faults: Faults) -> Any:
        if isinstance(node, Mapping):
            return {key: self.read(entry.node, child(path, key), faults) for key, entry in node.entries.items()}
        if isinstance(node, Listing):
            return [self.read(each, item(path, index), faults) for index, each in enumerate(node.items)]
        return node.value

    def schema(self) -> Schema:
        return {}


def read_at(form: Form, node: Node, path: str, faults: Faults) -> Any:
    """Read `node`, remembering where `path` was written for faults found later."""
    faults.remember(path, node.place)
    return form.read(node, path, faults)


def suggest(word: str, known: dict[str, Any]) -> str:
    """A hint for a message when `word` is close to one of the `known` ones, else nothing."""
    close = get_close_matches(word[:60], known, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def _show(node: Node) -> str:
    return shorten(node.text) if isinstance(node, Scalar) and node.text else node.kind
