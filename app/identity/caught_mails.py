"""The page of mails that were kept as files, for development, where no mail server is at hand. Pure but for reading
them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Final

SHOWN: Final = 50
_LINK: Final = re.compile(r"https?://[^\s<>\"']+")
_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Mails</title></head>
<body style="font-family: sans-serif; max-width: 48em; margin: 2em auto">
<h1>Mails that were kept instead of being sent</h1>
{mails}
</body></html>
"""
_MAIL: Final = """<article style="border-top: 1px solid #999; margin-top: 2em">
<h2>{subject}</h2><p>To {to}, {date}</p><pre style="white-space: pre-wrap">{text}</pre></article>"""


def write_page(folder: Path) -> str:
    """Return the page of the newest mails in a folder, the newest first."""
    mails = "\n".join(_describe(one) for one in _read(folder)) or "<p>There are none yet.</p>"
    return _PAGE.format(mails=mails)


def _read(folder: Path) -> Iterator[EmailMessage]:
    found = sorted(folder.glob("*.eml"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[:SHOWN]:
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        if isinstance(message, EmailMessage):
            yield message


def _describe(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    text = escape(str(body.get_content()) if body is not None else "")
    said = {name.lower(): escape(str(message[name])) for name in ("Subject", "To", "Date")}
    return _MAIL.format(**said, text=_LINK.sub(lambda found: f'<a href="{found[0]}">{found[0]}</a>', text))
