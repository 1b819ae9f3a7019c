"""Document -> index.html: one self-contained file that opens from disk and asks no network.

It embeds everything, the timings too, so it is not one of the result files.
"""

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from ddim.report.document import Document, Plot
from ddim.report.render import curves

_MIME = {".png": "image/png", ".svg": "image/svg+xml"}


def render(document: Document) -> str:
    """The page as text; every picture, script and number is inside it."""
    plots = [block for block in document.blocks() if isinstance(block, Plot)]
    template = _environment().get_template("page.html.j2")
    bokeh = curves.script() if plots else ""
    texts = {"metrics": _plain(document.metrics), "dark_colours": _plain(curves.DARK)}
    return str(template.render(document=document, bokeh=bokeh, **texts))


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
        uri=data_uri,
        joined=lambda folder, path: folder / path,
        plain=_plain,
    )
    environment.globals.update(plot_json=_plot_json)
    return environment


def data_uri(path: Path) -> str:
    """A picture as a data: address; ValueError for a kind that browsers may not show."""
    if path.suffix not in _MIME:
        raise ValueError(f"{path}: a picture of the page must be one of {', '.join(_MIME)}")
    return f"data:{_MIME[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _plain(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")


def _plot_json(plot: Plot) -> str:
    """The curves of a plot, which the page recolours for dark ground."""
    return curves.item(plot).replace("</", "<\\/")


def _markdown(text: str) -> str:
    """Markdown paragraphs -> HTML; raw HTML in the text stays text."""
    return _symbols(_parser().render(text))


def _inline(text: str) -> str:
    """Markdown within a line -> HTML."""
    return _symbols(_parser().renderInline(text))


def _symbols(html: str) -> str:
    """The plain text's x_T, x_0 and x_t with real subscripts."""
    return re.sub(r"\bx_([T0t])\b", r"x<sub>\1</sub>", html)


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable("table")
