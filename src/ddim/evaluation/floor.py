"""The reference's files, and the floor: what real, held-out images score against them."""

import shutil

import numpy as np
import torch

from ddim.config import paths
from ddim.config.schema import Config
from ddim.evaluation.features import Extractor, extract
from ddim.evaluation.measure import CellEvaluator
from ddim.evaluation.reference import FEATURES, Reference
from ddim.records.reference import Floor
from ddim.runtime import files
from ddim.runtime.progress import track

SPLIT = "train"  # the reference's images; the floor's are the other split's


def write_reference(
    cfg: Config,
    extractor: Extractor,
    train: np.ndarray,
    test: np.ndarray,
    device: torch.device,
) -> tuple[Floor, ...]:
    """Write `out/<name>/reference` of uint8 images `train` [N,C,H,W]; the floors of `test`'s.

    The floors are those of every number of images that cells have, by falling number.
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
        reference.save(folder)
        evaluator = CellEvaluator(
            extractor,
            reference,
            cfg.evaluate,
            seed=cfg.seed,
            batch_size=size,
            device=device,
            work=paths.WORK,
        )
        counts = reversed(cfg.sample.counts)
        return tuple(floor(held_out, n, evaluator) for n in counts)


def floor(held_out: np.ndarray, n: int, evaluator: CellEvaluator) -> Floor:
    """What n held-out images, or all there are, score: features float32 [N,D]."""
    used = min(n, len(held_out))
    fewer = "" if used == n else f" ({used}: there are no more)"
    return Floor(
        n_asked=n,
        what=f"held-out real images against the reference{fewer}",
        measured=evaluator.measure_features(held_out[:used]),
    )
