"""Document -> README.md for a code-hosting site; what is for the page alone is left out."""

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

PAGE = "[index.html](index.html) is the same with sortable tables and interactive curves."


def render(document: Document) -> str:
    """The document as GitHub-flavoured Markdown; files are linked relative to its folder."""
    lines = [f"# {document.title}", "", document.subtitle, ""]
    lines += _blocks(document.lead)
    lines += [document.see_also, ""]
    for part in document.parts:
        lines += _part(part, 2)
    return "\n".join(lines).rstrip("\n") + "\n"


def _part(part: Part, level: int) -> list[str]:
    if part.is_on_page_alone:
        return []
    lines = [f"{'#' * level} {part.title}", "", *_blocks(part.blocks)]
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
            return [block.text]
        case Bullets():
            return [f"- {item}" for item in block.items]
        case Table():
            return table(block)
        case Panel():
            return _panel(block)
        case Picture():
            link = f"![{block.alt}]({block.path.as_posix()})"
            return [link, "", _caption(block.caption, block.data)]
        case Plot():
            link = f"![{block.alt}]({block.file('png').as_posix()})"
            return [link, "", _caption(block.caption, block.file("csv"))]
        case Montage() | HeatMap():
            return [f"![{block.alt}](figures/{block.name}.png)", "", _caption(block.caption, None)]
        case Code() | Browser():
            raise AssertionError(f"{type(block).__name__} is for the page alone")


def _caption(text: str, data: Path | None) -> str:
    link = f"[Numbers]({data.as_posix()})." if data else ""
    return f"*{text}* {link}".strip() if text else link


def _panel(panel: Panel) -> list[str]:
    """The verdicts, a claim a row."""
    rows = [[v.claim, v.source, v.paper, v.ours, v.test, f"**{v.word}**"] for v in panel.verdicts]
    head = ("claim", "source", "paper", "ours", "test", "verdict")
    return [*_grid(head, rows, "---"), "", panel.note]


def table(block: Table) -> list[str]:
    """A table with its title above and its notes below."""
    width = len(block.columns)
    rows = [[row.label, *map(_value, row.values)] for row in block.rows]
    rows += [_footer(row, width) for row in block.footer]
    lines = [f"**{block.title}**", "", *_grid([block.corner, *block.columns], rows)]
    for note in block.notes:
        lines += ["", note]
    return lines


def _footer(row: Row, width: int) -> list[str]:
    return [f"*{row.label}*", _value(row.values[0]), *[""] * (width - 1)]


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]], align: str = "---:") -> list[str]:
    lines = [_line(head), "|---|" + f"{align}|" * (len(head) - 1)]
    return lines + [_line(row) for row in rows]


def _line(values: Sequence[str]) -> str:
    return "|" + "|".join(value.replace("|", "\\|") or " " for value in values) + "|"


def _value(value: Value) -> str:
    text = f"**{value.text}**" if value.bold else value.text
    return "".join(
        [
            text,
            f"<br><sub>{value.small}</sub>" if value.small else "",
            f"<br>{value.paper}" if value.paper else "",
        ]
    )
