"""Document -> README.md for a code-hosting site; what is for the page alone is left out.

Every text of the document passes `harmless`, every path `file_link`.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ddim.report.document import (
    Block,
    Browser,
    Bullets,
    Code,
    Document,
    HeatMap,
    Montage,
    Panel,
    Paragraph,
    Part,
    Picture,
    Plot,
    Row,
    Table,
    Value,
)
from ddim.report.escaping import file_link, harmless, plain
from ddim.report.render import symbols

PAGE = "[index.html](index.html) is the same with sortable tables and interactive curves."


def render(document: Document) -> str:
    """The document as GitHub-flavoured Markdown; files are linked relative to its folder."""
    lines = [f"# {harmless(document.title)}", "", harmless(document.subtitle), ""]
    lines += _blocks(document.lead)
    lines += [harmless(document.see_also), ""]
    for part in document.parts:
        lines += _part(part, 2)
    return symbols.in_markdown("\n".join(lines).rstrip("\n") + "\n")


def _part(part: Part, level: int) -> list[str]:
    if part.is_on_page_alone:
        return []
    lines = [f"{'#' * level} {harmless(part.title)}", "", *_blocks(part.blocks)]
    for inner in part.parts:
        lines += _part(inner, level + 1)
    return lines


def _blocks(blocks: Iterable[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [*_block(block), ""]
    return lines


def _block(block: Block) -> list[str]:
    match block:
        case Paragraph():
            return [harmless(block.text)]
        case Bullets():
            return [f"- {harmless(item)}" for item in block.items]
        case Table():
            return table(block)
        case Panel():
            return _panel(block)
        case Picture():
            return [_image(block.alt, block.path), "", _caption(block.caption, block.data)]
        case Plot():
            return [
                _image(block.alt, block.file("png")),
                "",
                _caption(block.caption, block.file("csv")),
            ]
        case Montage() | HeatMap():
            picture = Path("figures") / f"{block.name}.png"
            return [_image(block.alt, picture), "", _caption(block.caption, None)]
        case Code() | Browser():
            raise AssertionError(f"{type(block).__name__} is for the page alone")


def _image(alt: str, path: Path) -> str:
    return f"![{plain(alt)}]({file_link(path)})"


def _caption(text: str, data: Path | None) -> str:
    link = f"[Numbers]({file_link(data)})." if data else ""
    return f"*{harmless(text)}* {link}".strip() if text else link


def _panel(panel: Panel) -> list[str]:
    """The verdicts, a claim a row."""
    rows = [
        [*map(harmless, (v.claim, v.source, v.paper, v.ours, v.test)), f"**{v.word}**"]
        for v in panel.verdicts
    ]
    head = ("claim", "source", "paper", "ours", "test", "verdict")
    return [*_grid(head, rows, "---"), *(["", harmless(panel.note)] if panel.note else [])]


def table(block: Table) -> list[str]:
    """A table with its title above and its notes below."""
    width = len(block.columns)
    rows = [[harmless(row.label), *map(_value, row.values)] for row in block.rows]
    rows += [_footer(row, width) for row in block.footer]
    head = [harmless(text) for text in (block.corner, *block.columns)]
    lines = [f"**{harmless(block.title)}**", "", *_grid(head, rows)]
    for note in block.notes:
        lines += ["", harmless(note)]
    return lines


def _footer(row: Row, width: int) -> list[str]:
    return [f"*{harmless(row.label)}*", _value(row.values[0]), *[""] * (width - 1)]


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---:") -> list[str]:
    lines = [_line(head), "|---|" + f"{align}|" * (len(head) - 1)]
    return lines + [_line(row) for row in rows]


def _line(values: Sequence[str]) -> str:
    return "|" + "|".join(_field(value) or " " for value in values) + "|"


def _field(text: str) -> str:
    """A cell of a table, which a newline or a bare bar would end."""
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.splitlines()))


def _value(value: Value) -> str:
    text = harmless(value.text)
    return "".join(
        [
            f"**{text}**" if value.bold else text,
            f"<br><sub>{harmless(value.small)}</sub>" if value.small else "",
            f"<br>{harmless(value.paper)}" if value.paper else "",
        ]
    )
