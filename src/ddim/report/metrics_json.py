"""Results -> metrics.json, nested so that DVC's columns read S10.eta0.0.fid; means over seeds."""

from statistics import fmean
from typing import Any

from ddim.evaluation.aggregate import MEASURES, table
from ddim.records.results import Results
from ddim.records.training import Training


def metrics(results: Results) -> dict[str, Any]:
    """Every number that DVC should compare; intervals are in tables/cells.csv."""
    numbers: dict[str, Any] = {f"S{s}": {} for s in results.steps}
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


def last_loss(training: Training) -> float | None:
    """Mean of the last tenth of the logged losses: one of them alone is mostly noise."""
    last = training.loss[-max(1, len(training.loss) // 10) :]
    return fmean(value for _, value in last) if last else None
