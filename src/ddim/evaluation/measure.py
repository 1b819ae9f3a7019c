"""All numbers of a cell: images -> features -> FID, KID, precision, recall, Inception score."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddim.config.schema import Evaluate
from ddim.evaluation.engines import ENGINES
from ddim.evaluation.features import Extractor, extract, logits
from ddim.evaluation.inception_score import inception_score
from ddim.evaluation.intervals import Estimate
from ddim.evaluation.precision_recall import MAX_IMAGES
from ddim.evaluation.reference import Reference
from ddim.records.cell import Measured, Subset
from ddim.runtime.files import scratch

Estimates = dict[tuple[str, int], Estimate]  # by measure ("fid", "kid") and number of images

INTERVAL = (
    "95 % over the generated images, reference held fixed (FID, KID: delta method; precision: "
    "Wilson's; recall: jackknife)"
)


class CellEvaluator:
    """Measures any number of cells against one reference; everything is loaded once.

    Args:
        extractor: on `device`, in eval mode; the one that the reference's features are of.
        reference: what every cell is measured against.
        evaluate: the configured details, the engine among them.
        seed: of KID's subsets and the Inception score's split; each cell starts from it.
        batch_size: images that go through the extractor together.
        device: where features, and distances between them, are computed.
        work: folder for features while they are measured; they may be larger than memory.
    """

    def __init__(  # noqa: PLR0913
        self,
        extractor: Extractor,
        reference: Reference,
        evaluate: Evaluate,
        *,
        seed: int,
        batch_size: int,
        device: torch.device | str,
        work: Path,
    ) -> None:
        self._extractor, self._reference, self._seed = extractor, reference, seed
        self._batch_size, self._device, self._work = batch_size, device, work
        self._engine_name = evaluate.engine
        self._engine = ENGINES[evaluate.engine](reference, evaluate, seed, device)

    def measure(
        self,
        images: np.ndarray,
        progress: Callable[[int], None] | None = None,
        *,
        counts: Sequence[int] = (),
        repeat: int = 0,
    ) -> tuple[Measured, Estimates]:
        """Every number of uint8 images [n,C,H,W], which may be a memory map; FID and KID by n too.

        progress: called with the number of images just extracted. counts: FID and KID are also
        those of the first of them, for each count below n. repeat: of the numbers that are
        pooled as independent; a cell's is its seed.

        Raises ValueError for too few images (names the key), an extractor other than the
        reference's, and features that are not finite.
        """
        shape = (len(images), self._extractor.num_features)
        with scratch(self._work, shape, np.float32) as features:
            extract(self._extractor, images, self._batch_size, self._device, progress, out=features)
            return self.measure_features(features, counts=counts, repeat=repeat)

    def measure_features(
        self, generated: np.ndarray, *, counts: Sequence[int] = (), repeat: int = 0
    ) -> tuple[Measured, Estimates]:
        """The same of features float32 [n,D] of images; the rest and errors as `measure`'s."""
        n, m = len(generated), len(self._reference.features)
        smaller = [count for count in counts if count < n]
        estimates: Estimates = {}
        for k in (*smaller, n):
            estimates["fid", k] = self._engine.fid(generated[:k])
            # Cells of one seed share their subsets, whose choice cancels out of a difference.
            # Seeds are pooled as independent, so each has its own: with the same reference
            # images in all of them, that part of the error would not average out.
            estimates["kid", k] = self._engine.kid(generated[:k], repeat)
        (precision, *of_precision), (recall, *of_recall) = self._engine.precision_recall(generated)
        measured = Measured(
            **_fid_and_kid(estimates, n),
            n_generated=n,
            n_reference=m,
            fid_infinite=self._engine.fid_infinite(generated),
            precision=precision,
            precision_interval=(of_precision[0], of_precision[1]),
            recall=recall,
            recall_interval=(of_recall[0], of_recall[1]),
            n_paired=(min(n, MAX_IMAGES), min(m, MAX_IMAGES)),
            inception_score=self._inception_score(generated),
            engine=self._engine_name,
            interval=INTERVAL,
            subsets=tuple(Subset(n=k, **_fid_and_kid(estimates, k)) for k in smaller),
        )
        return measured, estimates

    def _inception_score(self, generated: np.ndarray) -> float | None:
        if not self._extractor.has_inception_logits:
            return None
        head = partial(logits, self._extractor, device=self._device)
        return inception_score(generated, head, seed=self._seed)


def _fid_and_kid(estimates: Estimates, n: int) -> dict[str, Any]:
    """The fields of a record for FID and KID of the first n images."""
    fields: dict[str, Any] = {}
    for measure in ("fid", "kid"):
        estimate = estimates[measure, n]
        fields |= {measure: estimate.value, f"{measure}_interval": estimate.interval}
    return fields
