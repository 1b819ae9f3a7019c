"""Several reports side by side: differences in tables, curves over one another.

    python -m ddim.report.compare A B [...] [--out FOLDER]

Each of A, B, ... is a folder reports/<name>, or revision:reports/<name> to read it out of git. The
first is what the others are compared with. Writes README.md, index.html, tables/ and figures/.
Where two reports do not share data, features and reference, or two cells not n, a difference of
their FIDs means nothing: none is printed, and the reason is.
"""

import csv
import io
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddim.evaluation.intervals import overlap
from ddim.report import build, numbers
from ddim.report.document import Block, Document, Paragraph, Part, Plot, Row, Series, Table, Value
from ddim.runtime.cli import Parser, command

ERROR = "error"  # the one row of reconstruction errors


@dataclass(frozen=True)
class Point:
    """One number with its interval."""

    value: float
    low: float
    high: float
    n: int | None = None  # generated images behind an FID, whose bias depends on it


Numbers = dict[tuple[int, str], Point]  # by (S, eta)


@dataclass(frozen=True)
class Run:
    """What is compared of one report."""

    label: str
    protocol: dict[str, Any]
    fid: Numbers
    error: Numbers


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.report.compare`."""
    parser = Parser(prog="python -m ddim.report.compare", description=__doc__)
    parser.add_argument("reports", nargs="+", help="reports/<name> or revision:reports/<name>")
    parser.add_argument("--out", type=Path, default=Path("out/compare"), help="output folder")
    options = parser.parse_args(arguments)
    print(compare(options.reports, options.out))


def compare(reports: Sequence[str], out: Path) -> Path:
    """Write the comparison into `out` and return the page's path.

    ValueError for fewer than two reports or repeated ones; FileNotFoundError names what is missing.
    """
    if len(set(reports)) < 2 or len(set(reports)) < len(reports):
        raise ValueError(f"name two or more different reports, got {' '.join(reports)}")
    compared = document([read(report) for report in reports], out)
    build.write_files(compared)
    build.write_pages(compared)
    return out / "index.html"


def read(report: str) -> Run:
    """Read a report from a folder or, as revision:folder, from git."""
    content = _from_folder(Path(report)) if Path(report).is_dir() else _from_git(report)
    protocol = json.loads(content("protocol.json"))
    return Run(
        report,
        protocol,
        _fids(report, content("plots/fid.csv")),
        _errors(content("plots/error.csv")),
    )


def _from_folder(folder: Path) -> Callable[[str], str]:
    def content(file: str) -> str:
        path = folder / file
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: {folder} is not a finished report")
        return path.read_text(encoding="utf-8")

    return content


def _from_git(report: str) -> Callable[[str], str]:
    if ":" not in report:
        raise FileNotFoundError(
            f"no folder {report}: name reports/<name> or revision:reports/<name>"
        )

    def content(file: str) -> str:
        name = f"{report.rstrip('/')}/{file}"
        shown = subprocess.run(["git", "show", name], capture_output=True, check=False)
        if shown.returncode:
            reason = shown.stderr.decode(errors="replace").strip().splitlines()
            raise FileNotFoundError(f"git has no {name}: {reason[0] if reason else 'no reason'}")
        return shown.stdout.decode()

    return content


def _fids(report: str, text: str) -> Numbers:
    rows = list(csv.DictReader(io.StringIO(text)))
    if any("n" not in row for row in rows):
        raise ValueError(
            f"{report}/plots/fid.csv has no column n: an earlier version of ddim wrote that "
            "report; make it again with `python -m ddim.stages.report`"
        )
    return {(int(row["S"]), row["eta"]): _point(row, "fid", int(row["n"])) for row in rows}


def _errors(text: str) -> Numbers:
    rows = csv.DictReader(io.StringIO(text))
    return {(int(row["S"]), ERROR): _point(row, "error", None) for row in rows}


def _point(row: dict[str, str], value: str, n: int | None) -> Point:
    return Point(float(row[value]), float(row["low"]), float(row["high"]), n)


def document(runs: Sequence[Run], out: Path) -> Document:
    """The comparison: FID, then reconstruction error."""
    fid = _part(runs, "FID", _fid_reasons, "fid", numbers.fid)
    error = _part(runs, "Reconstruction error", _data_reasons, "error", numbers.small)
    return Document(
        title="Reports compared",
        subtitle=f"{numbers.listed([run.label for run in runs])}.",
        folder=out,
        lead=[Paragraph(f"Differences are against **{runs[0].label}**; negative is better.")],
        parts=[Part("FID", "fid", fid), Part("Reconstruction error", "error", error)],
    )


def _data_reasons(first: Run, other: Run) -> list[str]:
    a, b = first.protocol["data"], other.protocol["data"]
    if a["train_sha256"] == b["train_sha256"]:
        return []
    return [f"the data differs ({a['name']}, {b['name']})"]


def _fid_reasons(first: Run, other: Run) -> list[str]:
    a, b = first.protocol, other.protocol
    found = _data_reasons(first, other)
    if a["features"]["sha256"] != b["features"]["sha256"]:
        found.append("the features differ")
    if a["reference"]["sha256"] != b["reference"]["sha256"]:
        found.append("the reference differs")
    return found


def _part(
    runs: Sequence[Run],
    title: str,
    why_not: Callable[[Run, Run], list[str]],
    key: str,
    text: Callable[[float], str],
) -> list[Block]:
    """Differences of every run to the first, then the curves of those that may be subtracted."""
    blocks: list[Block] = []
    a: Numbers = getattr(runs[0], key)
    together = {runs[0].label: a}
    for number, other in enumerate(runs[1:], 2):
        said = f"{title} of {other.label} is not comparable with that of {runs[0].label}"
        if why := why_not(runs[0], other):
            blocks.append(Paragraph(f"**{said}**: {'; '.join(why)}."))
            continue
        b: Numbers = getattr(other, key)
        differing = [place for place in b if place in a and a[place].n != b[place].n]
        if differing:
            blocks.append(Paragraph(f"**{said} where n differs**: {_other_n(a, b, differing)}."))
            b = {place: point for place, point in b.items() if place not in differing}
        if b:
            together[other.label] = b
        head = f"{title} of {other.label} minus that of {runs[0].label}"
        blocks.append(_differences(a, b, f"{key}_{number}", head, text))
    if len(together) == 1:
        return blocks
    for eta in dict.fromkeys(eta for values in together.values() for _, eta in values):
        name, head = (key, title) if eta == ERROR else (f"{key}_eta{eta}", _row_label(eta))
        blocks.append(_overlay(together, eta, name, head, title))
    return blocks


def _other_n(a: Numbers, b: Numbers, places: Sequence[tuple[int, str]]) -> str:
    """The cells with other numbers of images, by those numbers."""
    found: dict[str, list[str]] = {}
    for s, eta in places:
        ns = f"{a[s, eta].n:,} and {b[s, eta].n:,} images"
        found.setdefault(ns, []).append(f"(S = {s}, {_row_label(eta)})")
    return "; ".join(f"{ns} at {numbers.listed(cells)}" for ns, cells in found.items())


def _differences(
    a: Numbers, b: Numbers, name: str, title: str, text: Callable[[float], str]
) -> Block:
    """The table of differences over the cells that both have."""
    shared = [place for place in a if place in b]
    if not shared:
        return Paragraph(f"{title}: they share no comparable cell.")
    steps = sorted({s for s, _ in shared})
    rows = [
        Row(
            _row_label(eta),
            tuple(_difference(a.get((s, eta)), b.get((s, eta)), text) for s in steps),
            eta,
        )
        for eta in dict.fromkeys(eta for _, eta in shared)
    ]
    return Table(
        name=name,
        title=title,
        corner="",
        columns=tuple(f"S = {s}" for s in steps),
        rows=tuple(rows),
        notes=("Small: both numbers. ≈: may be chance, the intervals overlap.",),
    )


def _row_label(eta: str) -> str:
    return eta if eta == ERROR else numbers.eta_label(eta)


def _difference(a: Point | None, b: Point | None, text: Callable[[float], str]) -> Value:
    if a is None or b is None:
        return Value("–")
    difference = b.value - a.value
    shown = numbers.signed(difference, text(abs(difference)))
    chance = overlap((a.low, a.high), (b.low, b.high))
    return Value(shown, difference, f"{text(a.value)} → {text(b.value)}", chance=chance)


def _overlay(found: Mapping[str, Numbers], eta: str, name: str, title: str, y_label: str) -> Plot:
    """One row of every run as curves over one another."""
    series = []
    data: list[tuple[object, ...]] = []
    for index, (label, values) in enumerate(found.items()):
        row = {s: values[s, e] for s, e in sorted(values) if e == eta}
        if not row:
            continue
        points = [(point.value, point.low, point.high) for point in row.values()]
        y, low, high = zip(*points, strict=True)
        series.append(Series(f"run{index}", label, tuple(map(float, row)), y, low, high))
        data += [(label, s, *point) for s, point in zip(row, points, strict=True)]
    return Plot(
        name=name,
        title=title,
        x_label="steps S",
        y_label=y_label,
        series=tuple(series),
        alt=f"{y_label}, {title}, against steps: {numbers.listed([s.label for s in series])}.",
        columns=("run", "S", "value", "low", "high"),
        data=tuple(data),
        x_ticks=tuple(sorted({x for curve in series for x in curve.x})),
    )


if __name__ == "__main__":
    command(main)
