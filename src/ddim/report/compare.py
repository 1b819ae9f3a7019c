"""Several reports side by side: differences in tables, curves over one another.

    python -m ddim.report.compare A B [...] [--out FOLDER]

Each of A, B, ... is a folder reports/<name>, or revision:reports/<name> to read it out of git. The
first is what the others are compared with. Writes README.md, index.html, tables/ and figures/.
Where two reports do not share data, features, reference and n, a difference of their FIDs means
nothing: none is printed, and the reason is.
"""

import argparse
import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ddim.report import build, numbers
from ddim.report.document import Block, Document, Paragraph, Part, Plot, Row, Series, Table, Value

Numbers = dict[tuple[int, str], tuple[float, float, float]]  # (S, eta) -> value, low, high
ERROR = "error"  # the one row of reconstruction errors


@dataclass(frozen=True)
class Run:
    """What is compared of one report."""

    label: str
    protocol: dict[str, Any]
    fid: Numbers
    error: Numbers


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare the reports named on the command line; exit 1 with one line on a mistake."""
    parser = _Parser(prog="python -m ddim.report.compare", description=__doc__)
    parser.add_argument("reports", nargs="+", help="reports/<name> or revision:reports/<name>")
    parser.add_argument("--out", type=Path, default=Path("out/compare"), help="output folder")
    options = parser.parse_args(arguments)
    try:
        page = compare(options.reports, options.out)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(page)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.exit(f"error: {message}")


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
        _numbers(content("plots/fid.csv"), "fid"),
        _numbers(content("plots/error.csv"), "error"),
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


def _numbers(text: str, value: str) -> Numbers:
    return {
        (int(row["S"]), row.get("eta", ERROR)): (
            float(row[value]),
            float(row["low"]),
            float(row["high"]),
        )
        for row in csv.DictReader(io.StringIO(text))
    }


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
    if a["floor"]["n"] != b["floor"]["n"]:
        found.append(f"n differs ({a['floor']['n']:,}, {b['floor']['n']:,})")
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
    together = [runs[0]]
    for number, other in enumerate(runs[1:], 2):
        if why := why_not(runs[0], other):
            said = f"**{title} of {other.label} is not comparable with that of {runs[0].label}**"
            blocks.append(Paragraph(f"{said}: {'; '.join(why)}."))
            continue
        together.append(other)
        blocks.append(_differences(runs[0], other, f"{key}_{number}", title, key, text))
    if len(together) == 1:
        return blocks
    found: list[Numbers] = [getattr(run, key) for run in together]
    for eta in dict.fromkeys(eta for values in found for _, eta in values):
        name, head = (key, title) if eta == ERROR else (f"{key}_eta{eta}", _row_label(eta))
        blocks.append(_overlay([run.label for run in together], found, eta, name, head, title))
    return blocks


def _differences(
    first: Run, other: Run, name: str, title: str, key: str, text: Callable[[float], str]
) -> Block:
    """The table of differences over the cells that both have."""
    a: Numbers = getattr(first, key)
    b: Numbers = getattr(other, key)
    shared = [place for place in a if place in b]
    if not shared:
        return Paragraph(f"{first.label} and {other.label} share no cell.")
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
        title=f"{title} of {other.label} minus that of {first.label}",
        corner="",
        columns=tuple(f"S = {s}" for s in steps),
        rows=tuple(rows),
        notes=("Small: both numbers. ≈: may be chance, the intervals overlap.",),
    )


def _row_label(eta: str) -> str:
    return eta if eta == ERROR else numbers.eta_label(eta)


def _difference(
    a: tuple[float, float, float] | None,
    b: tuple[float, float, float] | None,
    text: Callable[[float], str],
) -> Value:
    if a is None or b is None:
        return Value("–")
    difference = b[0] - a[0]
    overlap = max(a[1], b[1]) <= min(a[2], b[2])
    shown = numbers.signed(difference, text(abs(difference)))
    return Value(shown, difference, f"{text(a[0])} → {text(b[0])}", chance=overlap)


def _overlay(
    labels: Sequence[str], found: Sequence[Numbers], eta: str, name: str, title: str, y_label: str
) -> Plot:
    """One row of every run as curves over one another."""
    series = []
    data: list[tuple[object, ...]] = []
    for index, (label, values) in enumerate(zip(labels, found, strict=True)):
        row = {s: values[s, e] for s, e in sorted(values) if e == eta}
        if not row:
            continue
        y, low, high = zip(*row.values(), strict=True)
        series.append(Series(f"run{index}", label, tuple(map(float, row)), y, low, high))
        data += [(label, s, *value) for s, value in row.items()]
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
    main()
