"""Document -> index.html: one self-contained file that opens from disk and asks no network.

It embeds everything, the timings too, so it is not one of the result files. Texts are escaped, or
Markdown without HTML and pictures; besides, the page's security policy runs no script but its own
and loads nothing.
"""

import base64
import hashlib
import html
import json
from functools import cache
from pathlib import Path
from typing import Any

from ddim.report.document import Document, Plot
from ddim.report.escaping import allowed_link, file_link
from ddim.report.render import curves, symbols

_MIME = {".png": "image/png", ".svg": "image/svg+xml"}


def render(document: Document) -> str:
    """The page as text; every picture, script and number is inside it."""
    plots = [block for block in document.blocks() if isinstance(block, Plot)]
    environment = _environment()
    template = environment.get_template("page.html.j2")
    own = environment.get_template("page.js").render()
    scripts = [*([curves.script()] if plots else []), own]
    texts = {"metrics": _plain(document.metrics), "dark_colours": _plain(curves.DARK)}
    policy = _policy(scripts)
    return str(template.render(document=document, scripts=scripts, policy=policy, **texts))


def _policy(scripts: list[str]) -> str:
    """The Content-Security-Policy: nothing from elsewhere, no script but these (Bokeh styles)."""
    digests = [hashlib.sha256(text.encode()).digest() for text in scripts]
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    return "; ".join(
        [
            "default-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
            "img-src data:",
            "style-src 'unsafe-inline'",
            f"script-src {' '.join(hashes)}",
        ]
    )


@cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ddim.report.render", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        kind=lambda block: type(block).__name__,
        md=_markdown,
        inline=_inline,
        words=_words,
        uri=data_uri,
        joined=_joined,
        link=file_link,
        plain=_plain,
    )
    environment.globals.update(plot_json=_plot_json)
    return environment


def data_uri(path: Path) -> str:
    """A picture as a data: address; ValueError for a kind that browsers may not show."""
    if path.suffix not in _MIME:
        raise ValueError(f"{path}: a picture of the page must be one of {', '.join(_MIME)}")
    return f"data:{_MIME[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _joined(folder: Path, path: Path) -> Path:
    """A file of the report; ValueError for one that lies elsewhere."""
    file_link(path)
    return folder / path


def _plain(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")


def _plot_json(plot: Plot) -> str:
    """The curves of a plot, which the page recolours for dark ground."""
    return curves.item(plot).replace("</", "<\\/")


def _markdown(text: str) -> str:
    """Markdown paragraphs -> HTML; raw HTML in the text stays text."""
    return symbols.in_html(_parser().render(text))


def _inline(text: str) -> str:
    """Markdown within a line -> HTML."""
    return symbols.in_html(_parser().renderInline(text))


def _words(text: str) -> str:
    """Plain text -> HTML, with subscripts."""
    return symbols.in_html(html.escape(text))


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser: Any = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.validateLink = allowed_link
    return parser
