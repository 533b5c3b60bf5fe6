"""The version that replies, documents and health name; `pyproject.toml` says the same."""

from typing import Final

VERSION: Final = "0.1.0"
