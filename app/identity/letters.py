"""What a mail says, as text and as HTML. Pure: names and addresses come from outside, and are only ever quoted."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from html import escape

WIDTH = 76

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{subject}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; color: #1a1a1a; max-width: 36em">
{body}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's subject and paragraphs, and where it asks its reader to go. `token` is what the link carries, for those
    who use the API."""

    subject: str
    paragraphs: tuple[str, ...]
    action: str = ""
    link: str = ""
    token: str = ""

    @property
    def text(self) -> str:
        """The mail as plain text."""
        parts = [textwrap.fill(paragraph, WIDTH) for paragraph in self.paragraphs]
        if self.link:
            parts.insert(1, f"{self.action}:\n{self.link}")
        if self.token:
            parts.append(f"The token by itself, for the API:\n{self.token}")
        return "\n\n".join(parts) + "\n"

    @property
    def html(self) -> str:
        """The mail as a page."""
        parts = [f"<p>{escape(paragraph)}</p>" for paragraph in self.paragraphs]
        if self.link:
            parts.insert(1, f'<p><a href="{escape(self.link)}">{escape(self.action)}</a></p>')
        if self.token:
            parts.append(f"<p>The token by itself, for the API:<br><code>{escape(self.token)}</code></p>")
        return _PAGE.format(subject=escape(self.subject), body="\n".join(parts))
