"""Several reports side by side: differences in tables, curves over one another.

    python -m ddim.report.compare A B [...] [--out FOLDER]

Each of A, B, ... is a folder `reports/<name>`, or `revision:reports/<name>` to read it out of git.
The first is what the others are compared with. Writes README.md, index.html, tables/ and figures/.
Where two reports do not share data, features and reference, or two cells not n, a difference of
their FIDs means nothing: none is printed, and the reason is.
"""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ddim.evaluation.aggregate import FID, Column, overlap, table
from ddim.records import results as records
from ddim.records.cell import Interval
from ddim.records.reference import Reference
from ddim.report import build, numbers
from ddim.report.document import Block, Document, Paragraph, Part, Plot, Row, Series, Table, Value
from ddim.report.render import markdown, page
from ddim.runtime.cli import Parser, command
from ddim.runtime.files import write_text

ERROR = "error"  # the one row of reconstruction errors


@dataclass(frozen=True)
class Point:
    """One number with its interval."""

    value: float
    interval: Interval
    n: int | None = None  # generated images behind an FID, whose bias depends on it


Numbers = dict[Column, Point]  # by (S, eta)


@dataclass(frozen=True)
class Run:
    """What is compared of one report."""

    label: str
    reference: Reference
    fid: Numbers
    error: Numbers


@dataclass(frozen=True)
class Quantity:
    """A number that both reports have, and when a difference of two means something."""

    title: str
    name: str  # of its files
    of: Callable[[Run], Numbers]
    mismatches: Callable[[Run, Run], list[str]]
    text: Callable[[float], str]


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
    comparison = document([read(report) for report in reports], out)
    build.write_files(comparison)
    write_text(out / "README.md", markdown.render(comparison))
    write_text(out / "index.html", page.render(comparison))
    return out / "index.html"


# --- reading -------------------------------------------------------------------------------------


def read(report: str) -> Run:
    """The records of a report, from a folder or, as revision:folder, from git.

    FileNotFoundError or ValueError names the file that is missing or of another version.
    """
    with _folder(report) as folder:
        results = records.load(folder)
    estimates = table(results.cells, results.cfg, FID)
    fids = {}
    for column, estimate in estimates.items():
        assert estimate.interval is not None
        n = results.first_seed(*column).measured.n_generated
        fids[column] = Point(estimate.mean, estimate.interval, n)
    errors = {
        (steps, ERROR): Point(column.mse, column.interval)
        for steps, column in results.reconstructions.items()
    }
    return Run(report, results.reference, fids, errors)


@contextmanager
def _folder(report: str) -> Iterator[Path]:
    """The report's folder; one out of git is there inside the block only."""
    if Path(report).is_dir():
        yield Path(report)
        return
    if ":" not in report:
        raise FileNotFoundError(
            f"no folder {report}: name reports/<name> or revision:reports/<name>"
        )
    with tempfile.TemporaryDirectory() as temporary:
        _extract(report, temporary)
        try:
            yield Path(temporary)
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(str(error).replace(temporary, report)) from None


def _extract(report: str, folder: str) -> None:
    name = report.rstrip("/")
    archive = subprocess.run(["git", "archive", name], capture_output=True, check=False)
    if archive.returncode:
        reason = archive.stderr.decode(errors="replace").strip().splitlines()
        raise FileNotFoundError(f"git has no {name}: {reason[0] if reason else 'no reason'}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")


# --- the comparison ------------------------------------------------------------------------------


def _data_mismatches(first: Run, other: Run) -> list[str]:
    a, b = first.reference.data, other.reference.data
    return [] if a.train_sha256 == b.train_sha256 else [f"the data differs ({a.name}, {b.name})"]


def _fid_mismatches(first: Run, other: Run) -> list[str]:
    a, b = first.reference, other.reference
    mismatches = _data_mismatches(first, other)
    if a.features.sha256 != b.features.sha256:
        mismatches.append("the features differ")
    if a.sha256 != b.sha256:
        mismatches.append("the reference differs")
    return mismatches


_FID = Quantity("FID", "fid", lambda run: run.fid, _fid_mismatches, numbers.fid)
_ERROR = Quantity(
    "Reconstruction error", "error", lambda run: run.error, _data_mismatches, numbers.small
)


def document(runs: Sequence[Run], out: Path) -> Document:
    """The comparison: FID, then reconstruction error."""
    return Document(
        title="Reports compared",
        subtitle=f"{numbers.listed([run.label for run in runs])}.",
        folder=out,
        lead=[Paragraph(f"Differences are against **{runs[0].label}**; negative is better.")],
        parts=[Part(q.title, q.name, _blocks(runs, q)) for q in (_FID, _ERROR)],
        see_also=markdown.PAGE,
    )


def _blocks(runs: Sequence[Run], quantity: Quantity) -> list[Block]:
    """Differences of every run to the first, then the curves of those that are comparable."""
    blocks: list[Block] = []
    first = runs[0]
    curves = {first.label: quantity.of(first)}
    for index, other in enumerate(runs[1:], 2):
        comparable, notes = _comparable(first, other, quantity)
        blocks += notes
        if comparable is None:
            continue
        if comparable:
            curves[other.label] = comparable
        title = f"{quantity.title} of {other.label} minus that of {first.label}"
        name = f"{quantity.name}_{index}"
        blocks.append(_differences(curves[first.label], comparable, quantity, (name, title)))
    return blocks + (_overlays(curves, quantity) if len(curves) > 1 else [])


def _comparable(first: Run, other: Run, quantity: Quantity) -> tuple[Numbers | None, list[Block]]:
    """The numbers of `other` that are comparable, None if no number is; and why others are not."""
    title = f"{quantity.title} of {other.label} is not comparable with that of {first.label}"
    if mismatches := quantity.mismatches(first, other):
        return None, [Paragraph(f"**{title}**: {'; '.join(mismatches)}.")]
    a, b = quantity.of(first), quantity.of(other)
    differing = [column for column in b if column in a and a[column].n != b[column].n]
    if not differing:
        return b, []
    note = Paragraph(f"**{title} where n differs**: {_other_n(a, b, differing)}.")
    return {column: point for column, point in b.items() if column not in differing}, [note]


def _other_n(a: Numbers, b: Numbers, columns: Sequence[Column]) -> str:
    """The cells with other numbers of images, by those numbers."""
    cells: dict[str, list[str]] = {}
    for s, eta in columns:
        ns = f"{a[s, eta].n:,} and {b[s, eta].n:,} images"
        cells.setdefault(ns, []).append(f"(S = {s}, {_row_label(eta)})")
    return "; ".join(f"{ns} at {numbers.listed(names)}" for ns, names in cells.items())


def _differences(a: Numbers, b: Numbers, quantity: Quantity, names: tuple[str, str]) -> Block:
    """The table of differences over the cells that both have; `names`: of its files, its title."""
    name, title = names
    shared = [column for column in a if column in b]
    if not shared:
        return Paragraph(f"{title}: they share no comparable cell.")
    steps = sorted({s for s, _ in shared})
    rows = []
    for eta in dict.fromkeys(eta for _, eta in shared):
        pairs = [(a.get((s, eta)), b.get((s, eta))) for s in steps]
        values = tuple(_difference(*pair, quantity.text) for pair in pairs)
        rows.append(Row(_row_label(eta), values, eta))
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
    return Value(
        text=numbers.signed(difference, text(abs(difference))),
        number=difference,
        small=f"{text(a.value)} → {text(b.value)}",
        chance=overlap(a.interval, b.interval),
    )


def _overlays(curves: Mapping[str, Numbers], quantity: Quantity) -> list[Block]:
    """A plot for every row, the runs over one another."""
    plots: list[Block] = []
    for eta in dict.fromkeys(eta for values in curves.values() for _, eta in values):
        name, title = quantity.name, quantity.title
        if eta != ERROR:
            name, title = f"{name}_eta{eta}", _row_label(eta)
        rows = {
            label: {s: values[s, e] for s, e in sorted(values) if e == eta}
            for label, values in curves.items()
        }
        rows = {label: row for label, row in rows.items() if row}
        plots.append(_overlay(rows, name, title, quantity.title))
    return plots


def _overlay(rows: Mapping[str, Mapping[int, Point]], name: str, title: str, y_label: str) -> Plot:
    """One row of every run as a curve: {label: {S: point}}."""
    series = []
    data: list[tuple[object, ...]] = []
    for index, (label, row) in enumerate(rows.items()):
        points = [(point.value, *point.interval) for point in row.values()]
        y, low, high = zip(*points, strict=True)
        series.append(Series(f"run{index}", label, tuple(map(float, row)), y, low, high))
        data += [(label, s, *point) for s, point in zip(row, points, strict=True)]
    return Plot(
        name=name,
        title=title,
        x_label="steps S",
        y_label=y_label,
        series=tuple(series),
        alt=f"{y_label}, {title}, against steps: {numbers.listed(list(rows))}.",
        columns=("run", "S", "value", "low", "high"),
        data=tuple(data),
        x_ticks=tuple(sorted({x for curve in series for x in curve.x})),
    )


if __name__ == "__main__":
    command(main)
