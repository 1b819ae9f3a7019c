"""Results -> metrics.json, nested so that DVC's columns read S10.eta0.0.fid; means over seeds."""

from statistics import fmean
from typing import Any

from ddim.records.aggregate import grid
from ddim.records.results import Results
from ddim.report.tables import ORDER


def metrics(results: Results) -> dict[str, Any]:
    """Every number that DVC should compare; intervals are in tables/cells.csv."""
    found: dict[str, Any] = {f"S{s}": {} for s in results.steps}
    for measure in ORDER:
        for (s, eta), value in grid(results, measure).items():
            found[f"S{s}"].setdefault(f"eta{eta}", {})[measure.key] = value.mean
    found["reconstruct"] = {f"S{s}": {"error": c.error} for s, c in results.reconstruct.items()}
    floor = results.protocol["floor"]
    found["floor"] = {key: floor[key] for key in ("fid", "kid", "precision", "recall")}
    found["train"] = {"loss": _last_loss(results.training["loss"])}
    if results.sections:
        found["lecture"] = {section.name: section.numbers for section in results.sections}
    return found


def _last_loss(loss: list[list[float]]) -> float | None:
    """Mean of the last tenth of the logged losses: one of them alone is mostly noise."""
    return fmean(value for _, value in loss[-max(1, len(loss) // 10) :]) if loss else None
