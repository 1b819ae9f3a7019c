"""Several reports side by side: differences in tables, curves over one another, verdicts.

    ddim compare A B [...] [--out FOLDER]    or: python -m ddim.report.compare

Each of A, B, ... is a report's name (digits), its folder (reports/digits), or revision:report to
read it out of git; a revision alone is that of the other's report. The first is what the others are
compared with. Writes README.md, index.html, tables/ and figures/. Where two reports do not share
data, features and reference, a difference of their FIDs means nothing: none is printed, and the
reason is. Cells are compared at equal n, or not at all.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddim.evaluation import intervals
from ddim.evaluation.aggregate import CellEstimate, Column
from ddim.evaluation.hypotheses import Comparison, decide, unpaired, z_test
from ddim.report import build, numbers
from ddim.report.document import Block, Document, Paragraph, Part, Plot, Row, Series, Table, Value
from ddim.report.render import markdown, page
from ddim.report.runs import ERROR, Numbers, Run, addresses, paired_error, read
from ddim.runtime.cli import Parser, command
from ddim.runtime.files import write_text
from ddim.runtime.usage import filled

Pair = tuple[CellEstimate, CellEstimate]  # of the first report and of another, at equal n
NOTE = (
    "Small: 95 % interval of the difference, {errors}. Bold: apart from 0, by z tests at 5 % for "
    "the whole table together (Holm)."
)
INDEPENDENT = "the errors of two reports being taken as independent"


@dataclass(frozen=True)
class Quantity:
    """A number that both reports have, and when a difference of two means something."""

    title: str
    name: str  # of its files
    of: Callable[[Run], Numbers]
    mismatches: Callable[[Run, Run], list[str]]
    errors: Callable[[Run, Run, Mapping[Column, Pair]], dict[Column, float]]  # of shared noise
    text: Callable[[float], str]


def main(arguments: Sequence[str]) -> None:
    """The command line of `python -m ddim.report.compare`."""
    parser = Parser(prog="ddim compare", description=filled(__doc__))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("reports", nargs="+", help="name, folder, or revision:report")
    parser.add_argument("--out", type=Path, default=Path("out/compare"), help="output folder")
    options = parser.parse_args(arguments)
    for line in compare(options.reports, options.out):
        print(line)


def compare(reports: Sequence[str], out: Path) -> list[str]:
    """Write the comparison into `out`; return what to tell, the page's path last.

    ValueError for fewer than two reports or repeated ones; FileNotFoundError names what is missing.
    """
    places = addresses(reports)
    if len(set(places)) < 2 or len(set(places)) < len(places):
        raise ValueError(f"name two or more different reports, got {' '.join(reports)}")
    runs = [read(place) for place in places]
    comparison = document(runs, out)
    build.write_files(comparison)
    write_text(out / "README.md", markdown.render(comparison))
    write_text(out / "index.html", page.render(comparison))
    return [*_told(runs), str(out / "index.html")]


def _told(runs: Sequence[Run]) -> list[str]:
    """A line on what cannot be compared, and on every verdict that is another one."""
    lines = []
    for other in runs[1:]:
        for quantity in (_FID, _ERROR):
            if mismatches := quantity.mismatches(runs[0], other):
                why = "; ".join(mismatches)
                lines.append(f"{quantity.title} of {other.label} is not compared: {why}")
    changed = changed_verdicts(runs)
    lines.append(_summary(runs, len(changed)))
    return lines + [f"  {claim}: {' -> '.join(words)}" for (claim, _), words in changed.items()]


# --- verdicts ------------------------------------------------------------------------------------


def changed_verdicts(runs: Sequence[Run]) -> dict[tuple[str, str], list[str]]:
    """{(claim, source): its word in every run} where those differ; of claims that all have."""
    common = [key for key in runs[0].verdicts if all(key in run.verdicts for run in runs)]
    words = {key: [str(run.verdicts[key].word) for run in runs] for key in common}
    return {key: each for key, each in words.items() if len(set(each)) > 1}


def _summary(runs: Sequence[Run], changed: int) -> str:
    """'2 of 19 verdicts differ', and how many claims not all have."""
    common = set.intersection(*(set(run.verdicts) for run in runs))
    alone = len(set.union(*(set(run.verdicts) for run in runs))) - len(common)
    rest = f"; {alone} claims are not in all of the reports" if alone else ""
    return f"{changed} of {len(common)} verdicts differ{rest}"


def _verdicts(runs: Sequence[Run]) -> list[Block]:
    changed = changed_verdicts(runs)
    summary = Paragraph(f"{_summary(runs, len(changed))}.")
    if not changed:
        return [summary]
    rows = tuple(
        Row(f"{claim} ({source})", tuple(Value(word) for word in words), claim)
        for (claim, source), words in changed.items()
    )
    columns = tuple(run.label for run in runs)
    return [summary, Table("verdicts", "Verdicts that differ", "claim", columns, rows)]


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


def _paired_errors(first: Run, other: Run, pairs: Mapping[Column, Pair]) -> dict[Column, float]:
    found = {
        column: paired_error(first, other, column, pair[0].n) for column, pair in pairs.items()
    }
    return {column: error for column, error in found.items() if error is not None}


_FID = Quantity(
    "FID", "fid", lambda run: run.fid, _fid_mismatches, _paired_errors, numbers.significant
)
_ERROR = Quantity(
    "Reconstruction error",
    "error",
    lambda run: run.error,
    _data_mismatches,
    lambda *_: {},  # no round trip keeps what each image contributes
    numbers.small,
)


def document(runs: Sequence[Run], out: Path) -> Document:
    """The comparison: verdicts, FID, reconstruction error."""
    return Document(
        title="Reports compared",
        subtitle=f"{numbers.listed([run.label for run in runs])}.",
        folder=out,
        lead=[Paragraph(f"Differences are against **{runs[0].label}**; negative is better.")],
        parts=[
            Part("Verdicts", "verdicts", _verdicts(runs)),
            *(Part(q.title, q.name, _blocks(runs, q)) for q in (_FID, _ERROR)),
        ],
        see_also=markdown.PAGE,
    )


def _blocks(runs: Sequence[Run], quantity: Quantity) -> list[Block]:
    """Differences of every run to the first, then the curves of those that are comparable."""
    blocks: list[Block] = []
    first = runs[0]
    comparable = [first]
    for index, other in enumerate(runs[1:], 2):
        title = f"{quantity.title} of {other.label} is not comparable with that of {first.label}"
        if mismatches := quantity.mismatches(first, other):
            blocks.append(Paragraph(f"**{title}**: {'; '.join(mismatches)}."))
            continue
        comparable.append(other)
        pairs, differing = _pairs(quantity.of(first), quantity.of(other))
        if differing:
            blocks.append(Paragraph(f"**{title} where no n is common**: {differing}."))
        name = f"{quantity.title} of {other.label} minus that of {first.label}"
        errors = quantity.errors(first, other, pairs)
        blocks.append(_differences(pairs, quantity, errors, (f"{quantity.name}_{index}", name)))
    return blocks + (_overlays(comparable, quantity) if len(comparable) > 1 else [])


def _pairs(a: Numbers, b: Numbers) -> tuple[dict[Column, Pair], str]:
    """What both have at equal n; and the cells that have no n in common, in words."""
    pairs: dict[Column, Pair] = {}
    others: dict[str, list[str]] = {}
    for column in a:
        if column not in b:
            continue
        if n := common_n([a[column], b[column]]):
            pairs[column] = (a[column].at(n), b[column].at(n))
        elif a[column].n == b[column].n:  # 0: not a number that depends on n
            pairs[column] = (a[column], b[column])
        else:
            ns = f"{a[column].n:,} and {b[column].n:,} images"
            others.setdefault(ns, []).append(f"(S = {column[0]}, {_row_label(column[1])})")
    return pairs, "; ".join(f"{ns} at {numbers.listed(names)}" for ns, names in others.items())


def common_n(estimates: Sequence[CellEstimate]) -> int:
    """The largest number of images that all are measured of; 0 if there is none."""
    return max(set.intersection(*({each.n, *each.subsets} for each in estimates)), default=0)


def _differences(
    pairs: Mapping[Column, Pair],
    quantity: Quantity,
    errors: Mapping[Column, float],
    names: tuple[str, str],
) -> Block:
    """The table of differences over the cells that both have.

    errors: standard errors of the differences of cells that share their noise. names: of the
    table's files, and its title.
    """
    name, title = names
    if not pairs:
        return Paragraph(f"{title}: they share no comparable cell.")
    compared = {column: _comparison(*pair, errors.get(column)) for column, pair in pairs.items()}
    decided = dict(zip(compared, decide(list(compared.values())).decided, strict=True))
    steps = sorted({s for s, _ in pairs})
    rows = []
    for eta in dict.fromkeys(eta for _, eta in pairs):
        values = tuple(
            _difference(compared[s, eta], pairs[s, eta], quantity.text, bold=decided[s, eta])
            if (s, eta) in pairs
            else Value("–")
            for s in steps
        )
        rows.append(Row(_row_label(eta), values, eta))
    return Table(
        name=name,
        title=title,
        corner="",
        columns=tuple(f"S = {s}" for s in steps),
        rows=tuple(rows),
        notes=(NOTE.format(errors=_on_errors(len(errors), len(pairs))),),
        bold_means="apart from 0",
    )


def _on_errors(paired: int, cells: int) -> str:
    """How the errors of the differences were found."""
    if not paired:
        return INDEPENDENT
    pairs = "image by image, as the noise is the same"
    if paired == cells:
        return pairs
    return f"{pairs}, in {paired} of {cells} cells; in the others {INDEPENDENT}"


def _comparison(first: CellEstimate, other: CellEstimate, error: float | None) -> Comparison:
    """other - first; error: its standard error, or None where the errors are independent."""
    if error is not None:
        return z_test("other - first", other.mean - first.mean, error)
    return unpaired("other - first", _with_error(other), _with_error(first))


def _with_error(value: CellEstimate) -> tuple[float, float]:
    assert value.interval is not None
    return value.mean, intervals.standard_error(value.mean, value.interval[1])


def _row_label(eta: str) -> str:
    return eta if eta == ERROR else numbers.eta_label(eta)


def _difference(
    difference: Comparison, pair: Pair, text: Callable[[float], str], *, bold: bool
) -> Value:
    """'+13.0' with its interval, and both numbers when hovered over."""
    size, half = difference.difference, intervals.Z * difference.standard_error
    low, high = size - half, size + half
    first, other = pair
    places = numbers.decimals(size, difference.standard_error) if half else 2
    n = (f"n = {numbers.count(first.n)}",) if first.n else ()
    return Value(
        text=numbers.signed(size, numbers.fixed(abs(size), places)),
        number=size,
        small=f"{numbers.fixed(low, places)} to {numbers.fixed(high, places)}",
        bold=bold,
        tip=(f"{text(first.mean)} → {text(other.mean)}", *n),
    )


def _overlays(runs: Sequence[Run], quantity: Quantity) -> list[Block]:
    """A plot for every row, the runs over one another, every S at one n."""
    curves = _at_common_n({run.label: quantity.of(run) for run in runs})
    plots: list[Block] = []
    for eta in dict.fromkeys(eta for values in curves.values() for _, eta in values):
        name, title = quantity.name, quantity.title
        if eta != ERROR:
            name, title = f"{name}_eta{eta}", _row_label(eta)
        rows = {
            label: {s: values[s, e] for s, e in sorted(values) if e == eta}
            for label, values in curves.items()
        }
        plots.append(_overlay({k: row for k, row in rows.items() if row}, name, title, quantity))
    return plots


def _at_common_n(curves: Mapping[str, Numbers]) -> dict[str, dict[Column, CellEstimate]]:
    """Every cell at the n that all runs with it have; a cell without such an n is left out."""
    kept: dict[str, dict[Column, CellEstimate]] = {label: {} for label in curves}
    for column in dict.fromkeys(column for values in curves.values() for column in values):
        having = {label: values[column] for label, values in curves.items() if column in values}
        n = common_n(list(having.values()))
        if n or len({value.n for value in having.values()}) == 1:
            for label, value in having.items():
                kept[label][column] = value.at(n) if n else value
    return kept


def _overlay(
    rows: Mapping[str, Mapping[int, CellEstimate]], name: str, title: str, quantity: Quantity
) -> Plot:
    """One row of every run as a curve: {label: {S: estimate}}."""
    series = []
    data: list[tuple[object, ...]] = []
    for index, (label, row) in enumerate(rows.items()):
        points = [(value.mean, *value.interval) for value in row.values() if value.interval]
        y, low, high = zip(*points, strict=True)
        x = tuple(map(float, row))
        series.append(Series(f"run{index}", label, x, y, low, high, look=index))
        data += [(label, s, *point) for s, point in zip(row, points, strict=True)]
    return Plot(
        name=name,
        title=title,
        x_label="number of steps S",
        y_label=quantity.title,
        series=tuple(series),
        alt=f"{quantity.title}, {title}, against steps: {numbers.listed(list(rows))}.",
        columns=("run", "S", "value", "low", "high"),
        data=tuple(data),
        x_ticks=tuple(sorted({x for curve in series for x in curve.x})),
        dodge=0.02,
    )


if __name__ == "__main__":
    command(main)
