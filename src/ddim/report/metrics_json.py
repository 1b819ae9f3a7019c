"""Results -> their numbers, by the names that DVC prints: S10.eta0.0.fid; means over seeds.

metrics.json holds the few that a table of experiments is read by, tables/metrics.csv all of them.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from ddim.evaluation.aggregate import FID, MEASURES, table
from ddim.records.results import Results
from ddim.records.training import Training
from ddim.records.verdict import CONTRADICTED, REPRODUCED, UNDECIDED
from ddim.report import verdicts

# Of metrics.json; where an experiment has none of them, its first and its last.
STEPS, ETAS, RECONSTRUCTED = (10, 50, 1000), ("0.0", "1.0", "hat"), (10, 1000)


def metrics(results: Results) -> dict[str, Any]:
    """The headline: FID and n of few cells, two errors of Table 2, the verdicts' counts."""
    fids, shown = table(results.cells, results.cfg, FID), _chosen(ETAS, results.etas)
    headline: dict[str, Any] = {}
    for s in _chosen(STEPS, results.steps):
        cells = {f"eta{e}": {"fid": fids[s, e].mean} for e in shown if (s, e) in fids}
        headline[f"S{s}"] = {"n": results.cfg.sample.count(s), **cells}
    errors = results.reconstructions
    chosen = _chosen(RECONSTRUCTED, sorted(errors))
    headline["reconstruct"] = {f"S{s}": {"mse": errors[s].mse} for s in chosen}
    words = Counter(verdict.word for verdict in verdicts.panel(results))
    headline["claims"] = {word: words[word] for word in (REPRODUCED, CONTRADICTED, UNDECIDED)}
    return headline


def everything(results: Results) -> dict[str, Any]:
    """Every number of the report, nested; intervals are in tables/cells.csv."""
    numbers: dict[str, Any] = {f"S{s}": {"n": results.cfg.sample.count(s)} for s in results.steps}
    for measure in MEASURES:
        for (s, eta), estimate in table(results.cells, results.cfg, measure).items():
            numbers[f"S{s}"].setdefault(f"eta{eta}", {})[measure.key] = estimate.mean
    numbers["reconstruct"] = {f"S{s}": {"mse": r.mse} for s, r in results.reconstructions.items()}
    numbers["floor"] = {
        f"n{floor.n}": {"fid": floor.fid, "kid": floor.kid, "precision": floor.precision}
        for floor in results.reference.floors
    }
    numbers["train"] = {"loss": last_loss(results.training)}
    if results.sections:
        numbers["analysis"] = {section.name: section.numbers for section in results.sections}
    return numbers


def flat(numbers: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """(S10.eta0.0.fid, value) of nested numbers."""
    for key, value in numbers.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def last_loss(training: Training) -> float | None:
    """Mean of the last tenth of the logged losses: one of them alone is mostly noise."""
    last = training.loss[-max(1, len(training.loss) // 10) :]
    return fmean(value for _, value in last) if last else None


def _chosen(wanted: Sequence[Any], present: Sequence[Any]) -> list[Any]:
    """Those that there are; else the first and the last that there is."""
    return [each for each in wanted if each in present] or sorted({present[0], present[-1]})
