"""Part `statistics`: FID, KID, precision and recall beside torch-fidelity and torchmetrics.

Of random features, 50,000 x 2,048 for FID and 5,000 against 10,000 for the rest; the numbers of
all engines are noted with the times.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from benchmarks.findings import Findings
from benchmarks.measure import interleaved, ratios
from benchmarks.parts import Options
from ddim.config.schema import Evaluate
from ddim.evaluation.engines import ENGINES, Ours, Torchmetrics
from ddim.evaluation.fid import ReferenceStatistics, fid
from ddim.evaluation.reference import Reference

Sides = Mapping[str, Callable[[np.ndarray], object]]  # called with generated features [n,D]

# conf/config.yaml's `evaluate`.
EVALUATE = Evaluate(kid_subsets=100, kid_subset_size=1000, neighbours=3, engine="ours")
QUICK = Evaluate(kid_subsets=10, kid_subset_size=200, neighbours=3, engine="ours")


def run(options: Options, findings: Findings) -> None:
    """FID at full size, then every metric of every engine."""
    if options.wants("torch-fidelity"):
        n, dim = (5000, 512) if options.quick else (50_000, 2048)
        against_torch_fidelity(n, dim, options.repeats(3, 1), findings)
    if options.wants("engines"):
        n, dim = (500, 512) if options.quick else (5000, 2048)
        engines(n, dim, options, findings)


def features(n: int, dim: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Float32 [n,dim] with a spectrum that falls as that of Inception's features does."""
    rng = np.random.default_rng(seed)
    spectrum = (np.geomspace(1, 1e-3, dim) ** 0.5).astype(np.float32)
    return rng.standard_normal((n, dim), dtype=np.float32) * spectrum * np.float32(spread)


def against_torch_fidelity(n: int, dim: int, repeats: int, findings: Findings) -> None:
    """FID with both sides' moments: ours, with its interval, and torch-fidelity's."""
    generated, real = (features(n, dim, seed) for seed in (0, 1))
    values: dict[str, float] = {}

    def torch_fidelity() -> None:
        sides = [fid_features_to_statistics(torch.from_numpy(x)) for x in (generated, real)]
        result = fid_statistics_to_metric(*sides, verbose=False)
        values["torch-fidelity"] = float(result["frechet_inception_distance"])

    reference = ReferenceStatistics.of(real)
    sides = {
        "torch-fidelity": torch_fidelity,
        "the reference": lambda: ReferenceStatistics.of(real),  # once for all cells
        "a cell": lambda: values.update(ours=fid(generated, reference).value),
    }
    seconds = interleaved(sides, repeats, warmup=1 if n < 50_000 else 0)
    label = f"FID, {n:,} x {dim:,}"
    findings.add(f"{label}: torch-fidelity", seconds["torch-fidelity"], "s")
    findings.add(f"{label}: ours, the reference once for all cells", seconds["the reference"], "s")
    findings.add(f"{label}: ours, each cell, with its interval", seconds["a cell"], "s")
    ours = [a + b for a, b in zip(seconds["the reference"], seconds["a cell"], strict=True)]
    slower = ratios(ours, seconds["torch-fidelity"])
    findings.add(f"{label}: ours, both / torch-fidelity", slower, "x", "statistics")
    difference = abs(values["ours"] - values["torch-fidelity"]) / values["torch-fidelity"]
    findings.add(f"{label}: relative difference of the numbers", [difference], "")


def engines(n: int, dim: int, options: Options, findings: Findings) -> None:
    """Seconds of KID and of precision and recall, and all numbers of n images against 2 n."""
    evaluate = QUICK if options.quick else EVALUATE
    generated = features(n, dim, 0, spread=1.02) + np.float32(0.03)
    reference = Reference.of(features(2 * n, dim, 1), neighbours=evaluate.neighbours)
    used = {name: engine(reference, evaluate, seed=0) for name, engine in ENGINES.items()}
    sides = torch.from_numpy(generated), torch.from_numpy(np.array(reference.features))
    label, repeats = f"{n:,} images against {2 * n:,}, x {dim:,}", options.repeats(3, 1)
    times(f"KID, {label}", kid_sides(used["ours"], sides, evaluate), generated, repeats, findings)
    prc = prc_sides(used["ours"], sides, evaluate)
    times(f"precision and recall, {label}", prc, generated, repeats, findings)
    findings.note("| `evaluate.engine` | FID | KID | precision | recall |")
    findings.note("|---|---|---|---|---|")
    for name, engine in used.items():
        (precision, *_), (recall, *_) = engine.precision_recall(generated)
        findings.note(
            f"| `{name}` | {engine.fid(generated).value:.10f} | {engine.kid(generated).value:.10f} "
            f"| {precision:.4f} | {recall:.4f} |"
        )
    findings.note(f"standard error of KID: {used['ours'].kid(generated).standard_error:.2g}")


def times(
    label: str, sides: Sides, generated: np.ndarray, repeats: int, findings: Findings
) -> None:
    """Seconds of each side, and of ours over each other's."""
    runs = {name: functools.partial(side, generated) for name, side in sides.items()}
    seconds = interleaved(runs, repeats, warmup=0)
    for name, values in seconds.items():
        findings.add(f"{label}: {name}", values, "s")
    for name in seconds:
        if name != "ours":
            slower = ratios(seconds["ours"], seconds[name])
            findings.add(f"{label}: ours / {name}", slower, "x")


def kid_sides(ours: Ours, sides: tuple[torch.Tensor, torch.Tensor], evaluate: Evaluate) -> Sides:
    """KID of the same features: ours with its standard error, and that of both libraries."""

    def torch_fidelity(_: np.ndarray) -> object:
        return kid_features_to_metric(
            *(side.double() for side in sides),
            kid_subsets=evaluate.kid_subsets,
            kid_subset_size=evaluate.kid_subset_size,
            rng_seed=0,
            verbose=False,
        )

    theirs = Torchmetrics(ours.reference, evaluate, seed=0)
    return {"ours": ours.kid, "torch-fidelity": torch_fidelity, "torchmetrics and ours": theirs.kid}


def prc_sides(ours: Ours, sides: tuple[torch.Tensor, torch.Tensor], evaluate: Evaluate) -> Sides:
    """Precision and recall: ours knows the reference's radii, torch-fidelity computes them."""

    def torch_fidelity(_: np.ndarray) -> object:
        k = evaluate.neighbours
        return prc_features_to_metric(*sides, prc_neighborhood=k, save_cpu_ram=True, verbose=False)

    return {"ours": ours.precision_recall, "torch-fidelity": torch_fidelity}
