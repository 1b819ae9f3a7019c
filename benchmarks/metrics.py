"""Statistics and FID of two feature arrays: ours, interval included, against torch-fidelity's.

    PYTHONPATH=src python benchmarks/metrics.py [--n 50000] [--dim 2048] [--repeats 1]

The claim that it checks: 50,000 x 2,048 Inception features cost no more than torch-fidelity's own
run over the same tensors. The best of the repeats, as other programs only ever make a run slower.
"""

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from ddim.evaluation.metrics import Reference, fid

Result = TypeVar("Result")


def features(n: int, dim: int, seed: int) -> np.ndarray:
    """Float32 [n,dim] with a spectrum that falls as that of Inception's features does."""
    rng = np.random.default_rng(seed)
    spectrum = (np.geomspace(1, 1e-3, dim) ** 0.5).astype(np.float32)
    return rng.standard_normal((n, dim), dtype=np.float32) * spectrum


def timed(repeats: int, work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds of the fastest of `repeats` calls, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50_000, help="images on either side")
    parser.add_argument("--dim", type=int, default=2048, help="width of the features")
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    generated, real = (features(args.n, args.dim, seed) for seed in (0, 1))

    def theirs() -> float:
        sides = [fid_features_to_statistics(torch.from_numpy(x)) for x in (generated, real)]
        found = fid_statistics_to_metric(*sides, verbose=False)
        return float(found["frechet_inception_distance"])

    their_seconds, their_value = timed(args.repeats, theirs)
    reference_seconds, reference = timed(args.repeats, lambda: Reference.of(real))
    cell_seconds, ours = timed(args.repeats, lambda: fid(generated, reference))
    total = reference_seconds + cell_seconds
    print(f"n = {args.n}, D = {args.dim}, {torch.get_num_threads()} threads")
    print(f"torch-fidelity  {their_seconds:8.2f} s   FID {their_value:.6f}")
    print(f"ours            {total:8.2f} s   FID {ours.value:.6f}, {ours.interval}")
    print(f"  the reference, once for all cells {reference_seconds:8.2f} s")
    print(f"  each cell, with its interval      {cell_seconds:8.2f} s")
    print(f"ratio ours / torch-fidelity: {total / their_seconds:.2f}")


if __name__ == "__main__":
    main()
