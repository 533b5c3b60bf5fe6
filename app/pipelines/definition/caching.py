"""The keys of caches: text with `${NAME}`, and with `${hash:GLOB}` for the content of files of the checkout."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from app.pipelines.definition.expansion import expand

LONGEST_KEY: Final = 500

_HASH = re.compile(r"\$\{hash:(?P<globs>[^}]+)\}")


def without_hashes(text: str) -> str:
    """Return the text with each `${hash:…}` blanked, every other character at its place."""
    return _HASH.sub(lambda match: " " * len(match[0]), text)


def expand_key(text: str, variables: Mapping[str, str], hash_of: Callable[[Sequence[str]], str]) -> str:
    """Return the key that `text` stands for, at most 500 characters; `hash_of` is asked for each list of globs.

    What a variable or a hash brings in is not looked through again.
    """
    pieces, at = [], 0
    for match in _HASH.finditer(text):
        globs = [glob.strip() for glob in match["globs"].split(",") if glob.strip()]
        pieces += [expand(text[at : match.start()], variables), hash_of(globs)]
        at = match.end()
    return "".join((*pieces, expand(text[at:], variables)))[:LONGEST_KEY]


def keys_of(cache: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the texts of a cache that may hold references, each with the path of its key below the cache."""
    listed = [(name, cache.get(name) or ()) for name in ("restore_keys", "paths")]
    found = [("key", cache.get("key") or "")]
    return found + [(f"{name}[{index}]", each or "") for name, texts in listed for index, each in enumerate(texts)]
