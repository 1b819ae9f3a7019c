"""What shows a training and changes no weight: the progress line, previews and their quality.

They find the average, the losses and the held-out images through the Trainer, and draw nothing
from torch's generators.
"""

import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from typing_extensions import override

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.evaluation.features import extract, load_extractor
from ddim.images import to_uint8
from ddim.noise import Noise
from ddim.plotting.grids import grid
from ddim.runtime.progress import track
from ddim.sampler import sample
from ddim.sampling.network import EpsModel
from ddim.tracking.training_logger import log_picture
from ddim.training.batches import ImageData
from ddim.training.callbacks import LossMonitor
from ddim.training.ema import EMA

if TYPE_CHECKING:
    from torchmetrics.wrappers import FeatureShare

    from ddim.evaluation.classifier import Classifier
    from ddim.evaluation.inception import Inception

PREVIEW_STEPS = 20  # of DDIM; all T where there are fewer
KID_SUBSET_SIZE = 100  # images; KID is the mean over 100 subsets

Kind = TypeVar("Kind", bound=Callback)


def training_callbacks(cfg: Config, *, logging: bool) -> list[Callback]:
    """What the configuration asks for; `logging`: whether a logger takes pictures and numbers.

    Raises FileNotFoundError, naming the stage to run, if the quality of previews is asked for
    (train.validate_every) and there is no feature space yet.
    """
    callbacks: list[Callback] = [ProgressLine()]
    if logging and cfg.train.sample_every:
        callbacks.append(SampleGrid(every=cfg.train.sample_every, seed=cfg.seed))
    if logging and cfg.train.validate_every:
        processes = cfg.trainer.devices * cfg.trainer.num_nodes
        callbacks.append(
            PreviewQuality(
                load_extractor(cfg.features, paths.features(cfg)),
                seed=cfg.seed,
                batch_size=max(1, cfg.train.batch_size // processes),
            )
        )
    return callbacks


class ProgressLine(Callback):
    """The line that says how far training is; process 0 only."""

    def __init__(self) -> None:
        self._open = ExitStack()

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._monitor = _callback(trainer, LossMonitor)
        if trainer.is_global_zero:
            line = track(trainer.max_steps, "training", done=trainer.global_step)
            self._advance = self._open.enter_context(line)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero:
            history = self._monitor.history
            self._advance(1, f"loss {history[-1][1]:.4f}" if history else "")

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._open.close()

    @override
    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        self._open.__exit__(type(exception), exception, exception.__traceback__)  # not "done"


class SampleGrid(Callback):
    """Every `every` steps, previews from the averaged weights: a grid of images for the logger.

    The same 36 latents each time: the pictures show one set of images becoming sharper.
    """

    COUNT = 36

    def __init__(self, *, every: int, seed: int) -> None:
        self._every, self._seed = every, seed

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        due = trainer.global_step % self._every == 0
        if due and trainer.is_global_zero and trainer.logger is not None:
            images = preview(trainer, range(self.COUNT), seed=self._seed, shape=batch.shape[1:])
            picture = grid(images, columns=6, scale=max(1, 64 // images.shape[-1]))
            log_picture(trainer.logger, "samples", picture, trainer.global_step)


class PreviewQuality(Callback):
    """After every validation, FID and KID of previews by torchmetrics, as val/fid and val/kid.

    They show quality rise, and are no numbers of a report: a few hundred images, 20 steps, and the
    held-out images of the validation as the reference. Process 0 only; statistics in float64 on the
    CPU, since not every device has float64.

    Args:
        extractor: the feature space, from ddim.evaluation.features.
        seed: of the latents, the same ones each time, and of KID's subsets.
        batch_size: previews that go through the network together.
        num_images: previews.
    """

    def __init__(
        self,
        extractor: "Classifier | Inception",
        *,
        seed: int,
        batch_size: int,
        num_images: int = 256,
    ) -> None:
        self._extractor, self._seed = extractor, seed
        self._batch_size, self._num_images = batch_size, num_images

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Measure the held-out images, once."""
        if not trainer.is_global_zero:
            return
        held_out = _held_out(trainer)
        if len(held_out) < 2:
            raise ValueError(
                "train.validate_every needs at least 2 held-out images, this data has"
                f" {len(held_out)}: set train.validate_every=0"
            )
        features = FeatureNetwork(
            self._extractor, trainer.strategy.root_device, batch_size=self._batch_size
        )
        self._metrics = _metrics(features, min(KID_SUBSET_SIZE, len(held_out), self._num_images))
        self._metrics.update(torch.from_numpy(held_out), real=True)

    @override
    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or trainer.logger is None:
            return
        shape = _held_out(trainer).shape[1:]
        for first in range(0, self._num_images, self._batch_size):
            indices = range(first, min(first + self._batch_size, self._num_images))
            images = preview(trainer, indices, seed=self._seed, shape=shape)
            self._metrics.update(torch.from_numpy(images), real=False)
        with torch.random.fork_rng(devices=[]):  # KID's subsets come from the global generator
            torch.default_generator.manual_seed(self._seed)
            measured = self._metrics.compute()
        self._metrics.reset()  # of the previews; the held-out images stay
        values = {"val/fid": float(measured["fid"]), "val/kid": float(measured["kid"][0])}
        trainer.logger.log_metrics(values, step=trainer.global_step)


class FeatureNetwork(nn.Module):
    """An extractor as torchmetrics takes one: uint8 [N,C,H,W] -> float64 [N,D], both on the CPU."""

    def __init__(
        self, extractor: "Classifier | Inception", device: torch.device, *, batch_size: int
    ) -> None:
        super().__init__()
        self.num_features = extractor.num_features
        self._extractor = extractor.to(device)
        self._device, self._batch_size = device, batch_size

    def forward(self, images: Tensor) -> Tensor:
        """The features that every stage measures with, of images as they are: nothing resized."""
        features = extract(self._extractor, images.numpy(), self._batch_size, self._device)
        return torch.from_numpy(features).double()


def preview(
    trainer: Trainer, indices: Sequence[int], *, seed: int, shape: Sequence[int]
) -> np.ndarray:
    """Images `indices` of run `seed` by DDIM from the averaged weights, uint8 [n,C,H,W].

    shape is one image's (C, H, W). Not to be called while Lightning validates, when the average is
    swapped into the trained module.
    """
    module = _callback(trainer, EMA).average
    network, alpha_bar = module.network, module.alpha_bar
    assert isinstance(network, nn.Module)
    assert isinstance(alpha_bar, Tensor)
    T = len(alpha_bar) - 1
    tau = schedule.trajectory(T, min(PREVIEW_STEPS, T))
    noise = Noise(seed, indices, shape, trainer.strategy.root_device)
    eps_model = EpsModel(network, precision=str(trainer.precision))
    return to_uint8(sample(eps_model, noise.draw(), alpha_bar, tau)).cpu().numpy()


def _metrics(features: FeatureNetwork, kid_subset_size: int) -> "FeatureShare":
    """FID and KID by torchmetrics, which compute the features of an image once for both."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance
    from torchmetrics.wrappers import FeatureShare

    alone: dict[str, Any] = {"reset_real_features": False, "sync_on_compute": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # KID keeps all features: they are few here
        kid = KernelInceptionDistance(features, subset_size=kid_subset_size, **alone)
        return FeatureShare({"fid": FrechetInceptionDistance(features, **alone), "kid": kid})


def _held_out(trainer: Trainer) -> np.ndarray:
    """The images that validation sees, uint8 [N,C,H,W]."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, ImageData)
    assert data.held_out is not None
    return data.held_out


def _callback(trainer: Trainer, kind: type[Kind]) -> Kind:
    """The Trainer's one callback of that class."""
    return next(each for each in trainer.callbacks if isinstance(each, kind))  # type: ignore[attr-defined]
