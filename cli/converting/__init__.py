"""Turning the pipelines of other systems into headrace.yml: as far as it can be done, with a note on all that cannot.

Pure: text in, text and notes out. The files are hostile: they are read by the bounded reader of headrace.yml itself,
and what is made of them has passed the check that every definition passes.
"""

from cli.converting.conversion import KINDS, Conversion, Kind, convert
from cli.converting.notes import NotConvertible, Note
from cli.converting.source import Source

__all__ = ["KINDS", "Conversion", "Kind", "NotConvertible", "Note", "Source", "convert"]
