"""Reports to be compared: where one lies, what is read of it, and what two share.

A report is named by its name (digits), by its folder (reports/digits), or as revision:report, out
of git. Cells of the same S, eta and seed start from the same x_T and draw the same noise in every
report of images of one shape: where what each image contributes lies in out/<name>/influences, the
error of their difference comes from the differences of that.
"""

import difflib
import io
import math
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ddim.evaluation.aggregate import FID, CellEstimate, Column, table
from ddim.evaluation.influences import Influences, check_pairing
from ddim.evaluation.intervals import covariance
from ddim.records import results as records
from ddim.records.cell import Cell
from ddim.records.reference import Reference
from ddim.records.results import Results
from ddim.records.verdict import Verdict
from ddim.report import verdicts

REPORTS = Path("reports")
ERROR = "error"  # the one row of reconstruction errors
Numbers = Mapping[Column, CellEstimate]  # by (S, eta)


@dataclass(frozen=True)
class Run:
    """What is compared of one report."""

    label: str
    results: Results
    influences: Path  # the folder with what each image contributes, if it is there

    @property
    def reference(self) -> Reference:
        """What its cells are measured against."""
        return self.results.reference

    @cached_property
    def fid(self) -> Numbers:
        """FID of every cell."""
        return table(self.results.cells, self.results.cfg, FID)

    @cached_property
    def error(self) -> Numbers:
        """The reconstruction error of every S."""
        return {
            (steps, ERROR): CellEstimate(column.mse, column.interval, None)
            for steps, column in self.results.reconstructions.items()
        }

    @cached_property
    def verdicts(self) -> dict[tuple[str, str], Verdict]:
        """Its panel, by claim and source."""
        return {(each.claim, each.source): each for each in verdicts.panel(self.results)}

    def repeats(self, column: Column) -> list[Cell]:
        """The cells of (S, eta), one for every seed."""
        return self.results.repeats(*column)

    def influences_of(self, cell: Cell) -> Influences | None:
        """What each image contributes to the numbers of `cell`; None if that is not there."""
        path = self.influences / f"{cell.key.name}.npz"
        if not path.is_file():
            return None
        found = Influences.load(path)
        return found if found.fingerprint == cell.fingerprint else None


def paired_error(first: Run, other: Run, column: Column, n: int) -> float | None:
    """The standard error of the difference of two runs' FIDs at (S, eta), images in pairs.

    None where they do not share their noise, or what each image contributes is not there.
    """
    if first.results.seeds != other.results.seeds:
        return None
    pairs = list(zip(first.repeats(column), other.repeats(column), strict=True))
    variances = [_variance(first, other, pair, n) for pair in pairs]
    if any(variance is None for variance in variances):
        return None
    return math.sqrt(math.fsum(variance or 0.0 for variance in variances)) / len(variances)


def _variance(first: Run, other: Run, pair: tuple[Cell, Cell], n: int) -> float | None:
    """Of the difference of two cells of one seed at their first n images."""
    if pair[0] == pair[1]:  # one and the same measurement
        return 0.0
    ours, theirs = first.influences_of(pair[0]), other.influences_of(pair[1])
    if ours is None or theirs is None:
        return None
    try:
        check_pairing(ours, theirs, FID.key, n)
    except ValueError:  # another reference, or not measured at n: nothing to pair
        return None
    a, b = ours.parts[FID.key, n], theirs.parts[FID.key, n]
    return max(covariance(a, a) + covariance(b, b) - 2 * covariance(a, b), 0.0)


# --- reading -------------------------------------------------------------------------------------


def addresses(words: Sequence[str]) -> list[str]:
    """The reports that `words` name, as folders or revision:folder.

    A revision alone stands for the report that the first other word names, at that revision.
    ValueError or FileNotFoundError for a word that is neither.
    """
    full = [_address(word) for word in words]
    named = next((each.rpartition(":")[2] for each in full if each is not None), None)
    for word, each in zip(words, full, strict=True):
        if each is None and named is None:
            raise ValueError(f"{word} is a revision: say of which report, as in {word}:digits")
    return [each or f"{word}:{named}" for word, each in zip(words, full, strict=True)]


def _address(word: str) -> str | None:
    """The folder, or revision:folder, that `word` names; None for a revision alone."""
    for folder in (Path(word), REPORTS / word):
        if folder.is_dir():
            return str(folder)
    revision, colon, name = word.partition(":")
    if colon:
        return word if "/" in name else f"{revision}:{REPORTS / name}"
    if _is_revision(word):
        return None
    there = sorted(path.parent.name for path in REPORTS.glob("*/experiment.json"))
    near = difflib.get_close_matches(word.rpartition("/")[2], there, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    listed = f"reports here are {', '.join(there)}" if there else "there are no reports here"
    raise FileNotFoundError(
        f"no folder {word}: {hint}{listed}; name one of them, or revision:{REPORTS}/<name>"
    )


def _is_revision(word: str) -> bool:
    if not re.fullmatch(r"[\w./^~@{}-]+", word) or word.startswith("-"):
        return False
    command = ["git", "rev-parse", "--verify", "--quiet", f"{word}^{{commit}}"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # no git
        return False


def read(report: str) -> Run:
    """The records of a report, from a folder or, as revision:folder, from git.

    FileNotFoundError or ValueError names the file that is missing or of another version.
    """
    with _folder(report) as folder:
        results = records.load(folder)
    place = Path(report if Path(report).is_dir() else report.partition(":")[2])
    return Run(report, results, place.parent.parent / "out" / place.name / "influences")


@contextmanager
def _folder(report: str) -> Iterator[Path]:
    """The report's folder; one out of git is there inside the block only."""
    if Path(report).is_dir():
        yield Path(report)
        return
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
