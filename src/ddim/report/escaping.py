"""Texts in Markdown that must neither run nor load anything, whoever wrote them.

`plain` is for a user's own words inside our sentences: notes, names of folders and files.
`harmless` is for whole texts on their way into README.md: those of records are Markdown, and a
record may come from anywhere. (index.html has a parser and a security policy of its own.)
"""

import re
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from ddim.runtime.printable import printable

_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def plain(text: str) -> str:
    """A user's words as Markdown that shows them as they are, on one line."""
    line = printable(" ".join(text.split()))
    marked = re.sub(r"([\\`*\[\]<>&~$|])", r"\\\1", line)
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", marked)  # within a word it means nothing


def harmless(text: str) -> str:
    """`text`, Markdown, if it holds no HTML, no picture from elsewhere and no odd link.

    Otherwise the same with every mark escaped, on one line: as it was typed.
    """
    if _is_harmless(text):
        return text
    line = printable(" ".join(text.split()))
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", line)


def allowed_link(target: str) -> bool:
    """Whether a link may lead there: http, https, or a file beside the document."""
    scheme = _SCHEME.match(target)
    return scheme is None or scheme[1].lower() in ("http", "https")


def file_link(path: Path) -> str:
    """A file of the report, relative to its folder, as the target of a link.

    Raises ValueError for one outside of it.
    """
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{printable(str(path))} lies outside of the report's folder")
    return quote(path.as_posix())


def _is_harmless(text: str) -> bool:
    defined: dict[str, Any] = {}
    tokens = [*_parser().parse(text, defined), *_parser().parseInline(text)]
    if defined.get("references"):  # a picture elsewhere in the document could use it
        return False
    return all(map(_is_harmless_token, [*tokens, *(c for t in tokens for c in t.children or ())]))


def _is_harmless_token(token: Any) -> bool:
    if token.type in ("html_inline", "html_block"):
        return False
    if token.type == "image":
        return _is_local(str(token.attrs["src"]))
    return token.type != "link_open" or allowed_link(str(token.attrs["href"]))


def _is_local(target: str) -> bool:
    decoded = unquote(target)
    path = PurePosixPath(decoded)
    outside = path.is_absolute() or ".." in path.parts or "\\" in decoded
    return not (outside or _SCHEME.match(decoded))


@cache
def _parser() -> Any:
    """Sees all that a code-hosting site's parser might: HTML, and links of every scheme."""
    from markdown_it import MarkdownIt

    parser: Any = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.validateLink = lambda _: True
    return parser
