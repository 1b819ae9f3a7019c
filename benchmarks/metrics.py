"""FID by our code against torch-fidelity's in seconds, or all engines side by side in numbers.

    PYTHONPATH=src python benchmarks/metrics.py [--n 50000] [--dim 2048] [--repeats 1]
    PYTHONPATH=src python benchmarks/metrics.py --table --n 5000

The claim that the first checks: 50,000 x 2,048 Inception features cost no more than
torch-fidelity's own run over the same tensors. The best of the repeats, as other programs only ever
make a run slower. The second prints the table of docs/fidelity.md: every evaluate.engine over the
same random features, with conf/'s details of the measurement.
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ddim.config.schema import Evaluate
from ddim.evaluation.engines import ENGINES
from ddim.evaluation.fid import ReferenceStatistics, fid
from ddim.evaluation.reference import Reference

# conf/config.yaml's `evaluate`.
EVALUATE = Evaluate(kid_subsets=100, kid_subset_size=1000, neighbours=3, engine="ours")
Result = TypeVar("Result")


def features(n: int, dim: int, seed: int, spread: float = 1.0) -> np.ndarray:
    """Float32 [n,dim] with a spectrum that falls as that of Inception's features does."""
    rng = np.random.default_rng(seed)
    spectrum = (np.geomspace(1, 1e-3, dim) ** 0.5).astype(np.float32)
    return rng.standard_normal((n, dim), dtype=np.float32) * spectrum * np.float32(spread)


def timed(repeats: int, work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of the fastest of `repeats` calls, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def print_times(n: int, dim: int, repeats: int) -> None:
    """FID, ours with its interval, and torch-fidelity's."""
    generated, real = (features(n, dim, seed) for seed in (0, 1))

    def torch_fidelity() -> float:
        sides = [fid_features_to_statistics(torch.from_numpy(x)) for x in (generated, real)]
        result = fid_statistics_to_metric(*sides, verbose=False)
        return float(result["frechet_inception_distance"])

    their_seconds, their_value = timed(repeats, torch_fidelity)
    reference_seconds, reference = timed(repeats, lambda: ReferenceStatistics.of(real))
    cell_seconds, ours = timed(repeats, lambda: fid(generated, reference))
    total = reference_seconds + cell_seconds
    print(f"n = {n}, D = {dim}, {torch.get_num_threads()} threads")
    print(f"torch-fidelity  {their_seconds:8.2f} s   FID {their_value:.6f}")
    print(f"ours            {total:8.2f} s   FID {ours.value:.6f}, {ours.interval}")
    print(f"  the reference, once for all cells {reference_seconds:8.2f} s")
    print(f"  each cell, with its interval      {cell_seconds:8.2f} s")
    print(f"ratio ours / torch-fidelity: {total / their_seconds:.2f}")


def print_table(n: int, dim: int) -> None:
    """Every engine's numbers of n generated images against 2 n of the reference, as Markdown."""
    generated = features(n, dim, 0, spread=1.02) + np.float32(0.03)
    reference = Reference.of(features(2 * n, dim, 1), neighbours=EVALUATE.neighbours)
    print("| `evaluate.engine` | FID | KID | precision | recall |\n|---|---|---|---|---|")
    for name, engine in ENGINES.items():
        used = engine(reference, EVALUATE, seed=0)
        precision, recall = used.precision_recall(generated)
        print(
            f"| `{name}` | {used.fid(generated).value:.10f} | {used.kid(generated).value:.10f} "
            f"| {precision:.4f} | {recall:.4f} |"
        )
    print(f"\nstandard error of KID: {used.kid(generated).standard_error:.2g}")


def main() -> None:
    """Parse the arguments and print times, or the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50_000, help="generated images")
    parser.add_argument("--dim", type=int, default=2048, help="width of the features")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--table", action="store_true", help="all engines' numbers, no times")
    args = parser.parse_args()
    if args.table:
        print_table(args.n, args.dim)
    else:
        print_times(args.n, args.dim, args.repeats)


if __name__ == "__main__":
    main()
