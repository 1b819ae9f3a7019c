"""The reference's files, and the floor: what real, held-out images score against them."""

import math
import shutil
from collections.abc import Sequence
from statistics import fmean

import numpy as np
import torch

from ddim.config import paths
from ddim.config.schema import Config
from ddim.evaluation import intervals
from ddim.evaluation.features import Extractor, extract
from ddim.evaluation.measure import CellEvaluator
from ddim.evaluation.reference import Reference
from ddim.records.reference import Floor
from ddim.records.reference_files import FEATURES, source_of
from ddim.runtime import files
from ddim.runtime.progress import track

MAX_BLOCKS = 10
SPLIT = "train"  # the reference's images; the floor's are the other split's


def write_reference(
    cfg: Config,
    extractor: Extractor,
    train: np.ndarray,
    test: np.ndarray,
    device: torch.device,
) -> tuple[Floor, ...]:
    """Write `out/<name>/reference` of uint8 images `train` [N,C,H,W]; the floors of `test`'s.

    The floors are those of every number of images at which cells can be compared with real ones, by
    falling number.
    """
    folder, shape = paths.reference(cfg), (len(train), extractor.num_features)
    size = cfg.features.batch_size
    shutil.rmtree(folder, ignore_errors=True)  # a killed run must not leave files of two
    with files.scratch(paths.WORK, (len(test), shape[1]), np.float32) as held_out:
        with track(len(train) + len(test), "reference features") as advance:
            with files.array(folder / FEATURES, shape, np.float32) as real:
                extract(extractor, train, size, device, advance, out=real)
            extract(extractor, test, size, device, advance, out=held_out)
        reference = Reference.of(real, neighbours=cfg.evaluate.neighbours, device=device)
        reference.save(folder, source_of(cfg))
        evaluator = CellEvaluator(
            extractor,
            reference,
            cfg.evaluate,
            seed=cfg.seed,
            batch_size=size,
            device=device,
            work=paths.WORK,
        )
        counts = [n for n in cfg.sample.counts_compared(len(test)) if n <= len(test)]
        return tuple(floor(held_out, n, evaluator) for n in reversed(counts))


def floor(held_out: np.ndarray, n: int, evaluator: CellEvaluator) -> Floor:
    """What n held-out images score: the mean over disjoint blocks of features float32 [N,D].

    At most MAX_BLOCKS of them, the first ones: more narrow the interval to no purpose.
    """
    num_blocks = min(len(held_out) // n, MAX_BLOCKS)
    blocks = [held_out[i * n : (i + 1) * n] for i in range(num_blocks)]
    measured = [evaluator.measure_features(b, repeat=i)[0] for i, b in enumerate(blocks)]
    fid, kid = (
        _mean([(getattr(m, key), getattr(m, f"{key}_interval")) for m in measured])
        for key in ("fid", "kid")
    )
    inside = [round(m.precision * m.n_paired[0]) for m in measured]
    precision = intervals.of_share(sum(inside), sum(m.n_paired[0] for m in measured))
    return Floor(
        n=n,
        blocks=num_blocks,
        fid=fid[0],
        fid_interval=(max(fid[1], 0.0), fid[2]),
        kid=kid[0],
        kid_interval=kid[1:],
        precision=precision[0],
        precision_interval=precision[1:],
    )


def _mean(numbers: Sequence[tuple[float, tuple[float, float]]]) -> tuple[float, float, float]:
    """The mean of independent numbers with their intervals: (mean, low, high)."""
    errors = [intervals.standard_error(value, high) for value, (_, high) in numbers]
    mean = fmean(value for value, _ in numbers)
    half = intervals.Z * math.hypot(*errors) / len(numbers)
    return mean, mean - half, mean + half
