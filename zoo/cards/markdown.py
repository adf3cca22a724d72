"""Text from data and users, made harmless in Markdown."""

from __future__ import annotations

import re
from urllib.parse import quote

_URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%~"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#!])")
LOCAL_PATH = re.compile(
    r"(?<![\w.:/<-])(?:/(?:home|Users|root|tmp|var|mnt|data|work|srv|opt|scratch|private|workspace)/"
    r"|[A-Za-z]:\\{1,2}(?=\w)|file://|~/)[^\s,;|]*"
)
"""What names a place on somebody's machine."""


def hide_local_paths(text: str) -> str:
    """The text with `(local path)` for each path of this machine."""
    return LOCAL_PATH.sub("(local path)", text)


def escape_markdown(text: str) -> str:
    """Make text from data or users harmless in Markdown: no markup, no HTML, one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split())).replace("\\<", "&lt;").replace("\\>", "&gt;")


def web_link(url: str) -> str:
    """A Markdown link to a web address; anything else becomes plain text."""
    if not url.startswith(("https://", "http://")):
        return escape_markdown(url)
    return f"<{quote(url, safe=_URL_CHARACTERS)}>"
