"""What every section measures with: the network, the schedule, the images, the feature space."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ddim import sampler, schedule, weights
from ddim.config import paths
from ddim.config.schema import Config
from ddim.evaluation import features
from ddim.images import to_float, to_uint8
from ddim.noise import Noise
from ddim.records import arrays, cells
from ddim.runtime.device import torch_device
from ddim.sampling.network import EpsModel

# Seeds of a section's own noise: apart from the cells', which count from 0.
PATHS, LOSSES, SIMULATION, DRAWS = 1001, 1002, 1100, 1200  # the last two: and those after them
PRECISION = "32-true"  # whatever the sweep uses: there and back needs float32 (Table 2)


@dataclass(frozen=True)
class Bench:
    """The trained network and its surroundings; pictures go in and out as CPU tensors.

    Args:
        cfg: the whole configuration.
        eps_model: on `device`.
        train, test: the prepared images.
    """

    cfg: Config
    eps_model: sampler.EpsModel
    device: torch.device
    train: arrays.Split
    test: arrays.Split

    @classmethod
    def of(cls, cfg: Config) -> "Bench":
        """Load what the configuration names; a missing file is an error that names it."""
        device = torch_device(cfg.trainer.accelerator)
        unet, _ = weights.load(cells.weights_file(cfg), expect=cfg.network)
        model = EpsModel(unet, precision=PRECISION, compiled=cfg.trainer.compile)
        train, test = (arrays.load(paths.data(cfg), split) for split in ("train", "test"))
        if len(test.images) < cfg.analysis.num_images:
            held = len(test.images)
            raise ValueError(
                f"analysis.num_images must be at most the {held} held-out images, "
                f"got {cfg.analysis.num_images}"
            )
        return cls(cfg, model.place(device), device, train, test)

    @cached_property
    def alpha_bar(self) -> Tensor:
        """float64 [T+1]."""
        return schedule.alpha_bar(**vars(self.cfg.diffusion))

    @cached_property
    def extractor(self) -> features.Extractor:
        """The configured feature space; loaded when first needed."""
        return features.load_extractor(self.cfg.features, paths.features(self.cfg), self.device)

    def tau(self, S: int) -> list[int]:
        """The configured spacing with S steps."""
        return schedule.trajectory(self.cfg.diffusion.T, S, self.cfg.sampler.trajectory)

    def held_out(self, n: int) -> Tensor:
        """The first n held-out images on [-1, 1], float32 [n,C,H,W]."""
        return to_float(torch.from_numpy(np.array(self.test.images[:n])))

    def cell_images(self, S: int, eta: float) -> np.ndarray:
        """A cell's first analysis.num_images images, of the first seed: uint8 [n,C,H,W]."""
        cfg = self.cfg
        cell = replace(cfg.cell, steps=S, eta=eta, seed=cfg.sweep.seeds[0])
        path = paths.samples(replace(cfg, cell=cell)) / "samples.npy"
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: run the stage sample for that cell first")
        return np.array(np.load(path, mmap_mode="r")[: cfg.analysis.num_images])

    def noise(self, seed: int, n: int) -> Tensor:
        """x_T [n,C,H,W]: image i's is a function of (seed, i)."""
        return Noise(seed, range(n), self.cfg.image_shape).draw()

    def encode(self, x_0: Tensor, S: int) -> Tensor:
        """x_T of images x_0 [N,C,H,W], with S steps of eta = 0."""
        tau = self.tau(S)
        return self._batched(x_0, lambda x: sampler.encode(self.eps_model, x, self.alpha_bar, tau))

    def decode(self, x_T: Tensor, S: int) -> Tensor:
        """x_0 of latents x_T [N,C,H,W], with S steps of eta = 0."""
        tau = self.tau(S)
        return self._batched(x_T, lambda x: sampler.sample(self.eps_model, x, self.alpha_bar, tau))

    def predict(self, x: Tensor, t: int) -> Tensor:
        """eps of x [N,C,H,W] at step t, one batch at a time."""

        def eps(batch: Tensor) -> Tensor:
            return self.eps_model(batch, sampler.steps_like(batch, t))

        return self._batched(x, eps)

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 [N,D], of uint8 images [N,C,H,W]."""
        size = self.cfg.features.batch_size
        return features.extract(self.extractor, images, size, self.device)

    def classify(self, images: np.ndarray) -> np.ndarray:
        """The classifier's classes, int64 [N], of uint8 images [N,C,H,W]."""
        found = features.logits(self.extractor, self.features(images), self.device)
        return np.asarray(found.argmax(1))

    @property
    def has_classes(self) -> bool:
        """Whether there are labels, and a classifier of them as the feature space."""
        return self.train.labels is not None and not self.extractor.has_inception_logits

    def _batched(self, x: Tensor, walk: Callable[[Tensor], Tensor]) -> Tensor:
        size = self.cfg.sample.batch_size
        return torch.cat([walk(part.to(self.device)).cpu() for part in x.split(size)])


def pixels(x: Tensor) -> np.ndarray:
    """uint8 images of x on [-1, 1]."""
    return to_uint8(x).cpu().numpy()
