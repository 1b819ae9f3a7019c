"""What every section measures with: the network, the schedule, the images, the feature space.

Each is loaded when first needed: a section that reads records alone loads no network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import prepared, results, samples
from ddim.records.cell import Cell, CellKey
from ddim.records.covariances import Covariances
from ddim.runtime.progress import Advance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ddim.evaluation.features import Extractor
    from ddim.sampler import EpsModel

# Seeds of a section's own noise: apart from the cells', which count from 0.
PATHS, LOSSES, SIMULATION, DRAWS = 1001, 1002, 1100, 1200  # the last two: and those after them


@dataclass(frozen=True)
class Context:
    """The trained network and its surroundings; pictures go in and out as CPU tensors.

    A missing file is an error that names it and the stage to run.
    """

    cfg: Config

    def require_images(self) -> None:
        """Raise ValueError unless there are analysis.num_images held-out images."""
        held, asked = len(self.test.images), self.cfg.analysis.num_images
        if held < asked:
            raise ValueError(
                f"analysis.num_images must be at most the {held} held-out images, got {asked}"
            )

    @cached_property
    def device(self) -> "torch.device":
        """Where the network runs."""
        from ddim.runtime.device import torch_device

        return torch_device(self.cfg.trainer.accelerator)

    @cached_property
    def eps_model(self) -> "EpsModel":
        """The trained network on `device`, in Table 2's precision: encoding needs float32."""
        from ddim.sampling.round_trip import load_network

        return load_network(self.cfg)

    @cached_property
    def train(self) -> prepared.Split:
        """The training images."""
        return prepared.load(paths.data(self.cfg), "train", self.cfg.image_shape)

    @cached_property
    def test(self) -> prepared.Split:
        """The held-out images."""
        return prepared.load(paths.data(self.cfg), "test", self.cfg.image_shape)

    @cached_property
    def cells(self) -> dict[CellKey, Cell]:
        """The records of the sweep's cells."""
        return results.read_cells(paths.reports(self.cfg), self.cfg)

    @cached_property
    def covariances(self) -> Covariances:
        """How the cells' errors hang together."""
        return results.read_covariances(paths.reports(self.cfg), self.cfg)

    @cached_property
    def alpha_bar(self) -> "Tensor":
        """float64 [T+1]."""
        return schedule.alpha_bar(**vars(self.cfg.diffusion))

    @cached_property
    def extractor(self) -> "Extractor":
        """The configured feature space."""
        from ddim.evaluation.features import load_extractor

        return load_extractor(self.cfg.features, paths.features(self.cfg), self.device)

    @property
    def has_classes(self) -> bool:
        """Whether there are labels, and a classifier of them as the feature space."""
        return self.train.labels is not None and not self.extractor.has_inception_logits

    def tau(self, S: int) -> list[int]:
        """The configured spacing with S steps."""
        return schedule.trajectory(self.cfg.diffusion.T, S, self.cfg.sampler.trajectory)

    def held_out(self, n: int) -> "Tensor":
        """The first n held-out images on [-1, 1], float32 [n,C,H,W]."""
        import torch

        from ddim.images import to_float

        return to_float(torch.from_numpy(np.array(self.test.images[:n])))

    def cell_images(self, S: int, eta: float, n: int | None = None) -> np.ndarray:
        """A cell's first n images, or all if there are fewer, of the first seed: uint8 [n,C,H,W].

        n: analysis.num_images if not given.
        """
        cfg = self.cfg
        cell = replace(cfg.cell, steps=S, eta=eta, seed=cfg.sweep.seeds[0])
        _, images = samples.load(replace(cfg, cell=cell))
        return np.array(images[: cfg.analysis.num_images if n is None else n])

    def noise(self, seed: int, n: int) -> "Tensor":
        """x_T [n,C,H,W]: image i's is a function of (seed, i)."""
        from ddim.noise import Noise

        return Noise(seed, range(n), self.cfg.image_shape).draw()

    def encode(self, x_0: "Tensor", S: int) -> "Tensor":
        """x_T of images x_0 [N,C,H,W], with S steps of eta = 0."""
        from ddim import sampler

        tau = self.tau(S)
        return self._batched(x_0, lambda eps, x: sampler.encode(eps, x, self.alpha_bar, tau))

    def decode(self, x_T: "Tensor", S: int) -> "Tensor":
        """x_0 of latents x_T [N,C,H,W], with S steps of eta = 0."""
        from ddim import sampler

        tau = self.tau(S)
        return self._batched(x_T, lambda eps, x: sampler.sample(eps, x, self.alpha_bar, tau))

    def predict(self, x: "Tensor", t: int) -> "Tensor":
        """eps of x [N,C,H,W] at step t, one batch at a time."""
        from ddim.sampler import steps_like

        return self._batched(x, lambda eps, batch: eps(batch, steps_like(batch, t)))

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 [N,D], of uint8 images [N,C,H,W]."""
        from ddim.evaluation.features import extract

        return extract(self.extractor, images, self.cfg.features.batch_size, self.device)

    def classify(self, images: np.ndarray) -> np.ndarray:
        """The classifier's classes, int64 [N], of uint8 images [N,C,H,W]."""
        from ddim.evaluation.features import logits

        return np.asarray(logits(self.extractor, self.features(images), self.device).argmax(1))

    def _batched(
        self, x: "Tensor", function: Callable[[Callable[..., "Tensor"], "Tensor"], "Tensor"]
    ) -> "Tensor":
        """function(eps_model, batch) of every batch of x."""
        import torch

        from ddim.sampling.parallel import map_batches

        def computed(batch: "Tensor", advance: Advance) -> "Tensor":
            def eps_model(x: "Tensor", t: "Tensor") -> "Tensor":
                advance(0)  # where this batch ends early if another one fails
                return self.eps_model(x, t)

            return function(eps_model, batch.to(self.device)).cpu()

        batches = x.split(self.cfg.sample.batch_size)
        return torch.cat(list(map_batches(computed, batches, self.device)))


def pixels(x: "Tensor") -> np.ndarray:
    """uint8 images of x on [-1, 1]."""
    from ddim.images import to_uint8

    return to_uint8(x).cpu().numpy()
