"""Who computes FID, KID, precision and recall: our own code, torch-fidelity or torchmetrics.

All from the same features, and equal (tests/evaluation/test_engines.py; docs/fidelity.md has a
table). Standard errors are ours with every engine. Ours is the default, being the fastest; the
others hold both sides' features in memory in float64, twice ours' size, and neither is imported
unless it is asked for.
"""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ddim.config import checks
from ddim.config.schema import Evaluate
from ddim.evaluation.feature_arrays import centred_blocks
from ddim.evaluation.fid import fid, fid_infinite
from ddim.evaluation.intervals import Estimate
from ddim.evaluation.kid import kid
from ddim.evaluation.precision_recall import PrecisionRecall, precision_recall, subsamples
from ddim.evaluation.reference import Reference

if TYPE_CHECKING:
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance


@dataclass(frozen=True)
class Ours:
    """Our own FID, KID, precision and recall of features float32 [n,D] against one reference.

    reference: what every cell is measured against. evaluate: the configured details. seed: of
    KID's subsets. device: where distances between features are computed.
    """

    reference: Reference
    evaluate: Evaluate
    seed: int
    device: torch.device | str = "cpu"

    def fid(self, generated: np.ndarray) -> Estimate:
        """FID of generated features [n,D], a square in the features' unit."""
        return fid(generated, self.reference.statistics)

    def kid(self, generated: np.ndarray, repeat: int = 0) -> Estimate:
        """KID of generated features [n,D]; may be negative. repeat: each has its own subsets."""
        return kid(
            generated,
            self.reference.features,
            subsets=self.evaluate.kid_subsets,
            subset_size=self.evaluate.kid_subset_size,
            seed=self._seed_of(repeat),
        )

    def _seed_of(self, repeat: int) -> int:
        """Of KID's subsets, in the range that numpy's generator takes."""
        return (self.seed + repeat) % 2**32

    def fid_infinite(self, generated: np.ndarray) -> float | None:
        """FID extrapolated to infinitely many images; None where there are too few."""
        return fid_infinite(generated, self.reference.statistics)

    def precision_recall(self, generated: np.ndarray) -> PrecisionRecall:
        """Precision and recall of generated features [n,D], each in 0..1, with intervals."""
        return precision_recall(
            generated,
            self.reference.features,
            neighbours=self.evaluate.neighbours,
            reference_radii=self.reference.radii,
            device=self.device,
        )


class TorchFidelity(Ours):
    """FID, KID, precision and recall by torch-fidelity; fields as Ours."""

    @cached_property
    def _features(self) -> Tensor:
        return _float64(self.reference.features)

    @cached_property
    def _statistics(self) -> dict[str, np.ndarray]:
        from torch_fidelity.metric_fid import fid_features_to_statistics

        statistics: dict[str, np.ndarray] = fid_features_to_statistics(self._features)
        return statistics

    def fid(self, generated: np.ndarray) -> Estimate:
        """torch-fidelity's FID with our standard error."""
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        ours = super().fid(generated)
        statistics = fid_features_to_statistics(_float64(generated))
        result = fid_statistics_to_metric(statistics, self._statistics, verbose=False)
        return replace(ours, value=float(result["frechet_inception_distance"]))

    def kid(self, generated: np.ndarray, repeat: int = 0) -> Estimate:
        """torch-fidelity's KID, of the same subsets as ours, with our standard error."""
        from torch_fidelity.metric_kid import kid_features_to_metric

        ours = super().kid(generated, repeat)
        result = kid_features_to_metric(
            _float64(generated),
            self._features,
            kid_subsets=self.evaluate.kid_subsets,
            kid_subset_size=self.evaluate.kid_subset_size,
            rng_seed=self._seed_of(repeat),
            verbose=False,
        )
        return replace(ours, value=float(result["kernel_inception_distance_mean"]))

    def precision_recall(self, generated: np.ndarray) -> PrecisionRecall:
        """torch-fidelity's, which computes the reference's radii again, with our intervals."""
        from torch_fidelity.metric_prc import prc_features_to_metric

        ours = super().precision_recall(generated)
        k = self.evaluate.neighbours
        sides = subsamples(generated, self.reference.features, neighbours=k)
        result = prc_features_to_metric(
            *(torch.from_numpy(np.array(side, np.float32)).to(self.device) for side in sides),
            prc_neighborhood=k,
            save_cpu_ram=True,  # in blocks, not all distances at once
            verbose=False,
        )
        return PrecisionRecall(
            (float(result["precision"]), *ours.precision[1:]),
            (float(result["recall"]), *ours.recall[1:]),
        )


class Torchmetrics(Ours):
    """FID and KID by torchmetrics, on the CPU; precision and recall, which it lacks, are ours."""

    @cached_property
    def _fid(self) -> "FrechetInceptionDistance":
        """The metric, which has the reference already and keeps it when it is reset."""
        from torchmetrics.image.fid import FrechetInceptionDistance

        metric = FrechetInceptionDistance(self._extractor, reset_real_features=False)
        _update(metric, self.reference.features, real=True)
        return metric

    @cached_property
    def _kid(self) -> "KernelInceptionDistance":
        from torchmetrics.image.kid import KernelInceptionDistance

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it keeps all features: it has to
            metric = KernelInceptionDistance(
                self._extractor,
                subsets=self.evaluate.kid_subsets,
                subset_size=self.evaluate.kid_subset_size,
                reset_real_features=False,
            )
        _update(metric, self.reference.features, real=True)
        return metric

    @property
    def _extractor(self) -> "_Identity":
        return _Identity(self.reference.features.shape[1])

    def fid(self, generated: np.ndarray) -> Estimate:
        """torchmetrics' FID with our standard error."""
        ours = super().fid(generated)
        self._fid.reset()  # of the cell before; the reference stays
        _update(self._fid, generated, real=False)
        return replace(ours, value=float(self._fid.compute()))

    def kid(self, generated: np.ndarray, repeat: int = 0) -> Estimate:
        """torchmetrics' KID, of other subsets than ours, with our standard error."""
        ours = super().kid(generated, repeat)
        self._kid.reset()
        _update(self._kid, generated, real=False)
        with torch.random.fork_rng(devices=[]):  # its subsets come from the global generator
            torch.default_generator.manual_seed(self._seed_of(repeat))
            mean, _ = self._kid.compute()
        return replace(ours, value=float(mean))


ENGINES: dict[str, type[Ours]] = dict(
    zip(checks.ENGINES, (Ours, TorchFidelity, Torchmetrics), strict=True)
)


class _Identity(nn.Module):
    """A feature extractor for torchmetrics that is given features."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        """Features [n,D] of features [n,D]."""
        return features


def _update(metric: Any, features: np.ndarray, *, real: bool) -> None:
    """Give a metric features [n,D] in float64, the dtype that its result then has too."""
    for block in centred_blocks(features):
        metric.update(torch.from_numpy(block.copy()), real=real)  # the block's memory is used again


def _float64(features: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(features, np.float64))
