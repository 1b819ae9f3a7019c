"""The plain text's subscripts, x_T and q_σ and x_{t-1}, as real ones: in HTML and in Markdown."""

import re

# One letter, and what stands below it: braces, parentheses, a word of the papers, one or two signs.
_SUBSCRIPT = re.compile(
    r"(?<![A-Za-z0-9_\\/.])([A-Za-zα-ω]|x̂|σ̂)_"
    r"(?:\{([^{}<>]{1,12})\}|\(([a-z0-9+-]{1,6})\)|(prev|[A-Za-z0-9α-ω]{1,2}))(?![A-Za-z0-9_])"
)
_HTML_APART = re.compile(r"(<code.*?</code>|<[^>]*>)", re.DOTALL)
_MARKDOWN_APART = re.compile(r"(`[^`]*`|!\[(?:\\.|[^\]\\])*\]\([^)]*\)|\]\([^)]*\))")


def in_html(html: str) -> str:
    """`html` with subscripts in its text, which is not that of its tags and of code."""
    return _apart(_HTML_APART, html)


def in_markdown(text: str) -> str:
    """The same of Markdown; what is in code, in a link's address, in a picture's text stays."""
    return _apart(_MARKDOWN_APART, text)


def _apart(apart: re.Pattern[str], text: str) -> str:
    """Every second piece, those between what `apart` finds, with its subscripts."""
    pieces = apart.split(text)
    pieces[::2] = [_SUBSCRIPT.sub(_lowered, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _lowered(match: re.Match[str]) -> str:
    base, *below = match.groups()
    return f"{base}<sub>{next(text for text in below if text)}</sub>"
