"""Document -> README.md for a code-hosting site."""

from collections.abc import Iterable, Sequence
from os.path import relpath
from pathlib import Path

from ddim.report.document import (
    Block,
    Browser,
    Bullets,
    Code,
    Document,
    Montage,
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
    """The whole report as GitHub-flavoured Markdown; files are linked relative to its folder."""
    lines = [f"# {document.title}", "", document.subtitle, ""]
    lines += _blocks(document.lead, document.folder)
    lines += [document.see_also, ""]
    for part in document.parts:
        lines += _part(part, document.folder, 2)
    return "\n".join(lines).rstrip("\n") + "\n"


def _part(part: Part, folder: Path, level: int) -> list[str]:
    lines = [f"{'#' * level} {part.title}", "", *_blocks(part.blocks, folder)]
    for inner in part.parts:
        lines += _part(inner, folder, level + 1)
    return lines


def _blocks(blocks: Iterable[Block], folder: Path) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [*_block(block, folder), ""]
    return lines


def _block(block: Block, folder: Path) -> list[str]:
    match block:
        case Paragraph():
            return [block.text]
        case Bullets():
            items = [f"- {item}" for item in block.items]
            return _folded(block.summary, items)
        case Code():
            return _folded(block.summary, [f"```{block.language}", block.text.strip(), "```"])
        case Table():
            return table(block)
        case Picture():
            link = f"![{block.alt}]({block.path.as_posix()})"
            return [link, "", _caption(block.caption, block.data)]
        case Plot():
            link = f"![{block.alt}]({block.file('png').as_posix()})"
            return [link, "", _caption(block.caption, block.file("csv"))]
        case Montage():
            return [f"![{block.alt}](figures/{block.name}.png)", "", _caption(block.caption, None)]
        case Browser():
            return _links(block, folder)


def _folded(summary: str, lines: list[str]) -> list[str]:
    if not summary:
        return lines
    return ["<details>", f"<summary>{summary}</summary>", "", *lines, "", "</details>"]


def _caption(text: str, data: Path | None) -> str:
    link = f"[Numbers]({data.as_posix()})." if data else ""
    return f"*{text}* {link}".strip() if text else link


def _links(browser: Browser, folder: Path) -> list[str]:
    """The grids as a table of links: pictures of every cell would drown the page."""
    rows = []
    for steps in browser.steps:
        paths = [relpath(browser.pictures[steps, eta], folder) for eta, _ in browser.etas]
        rows.append([f"S = {steps}", *(f"[grid]({Path(path).as_posix()})" for path in paths)])
    return _grid(["", *(label for _, label in browser.etas)], rows)


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


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [_line(head), "|---|" + "---:|" * (len(head) - 1)]
    return lines + [_line(row) for row in rows]


def _line(values: Sequence[str]) -> str:
    return "| " + " | ".join(value.replace("|", "\\|") for value in values) + " |"


def _value(value: Value) -> str:
    text = f"**{value.text}**" if value.best else value.text
    if value.chance:
        text = f"≈ {text}"
    return "".join(
        [
            text,
            f"<br><sub>{value.small}</sub>" if value.small else "",
            f"<br>{value.paper}" if value.paper else "",
        ]
    )
