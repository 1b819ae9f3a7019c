"""From the configuration to a finished training: the network, and what determines its weights."""

from collections.abc import Sequence

import numpy as np
import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, prepared
from ddim.training.fit import TrainingSetup, fit
from ddim.unet import UNet


def new_network(cfg: Config) -> UNet:
    """The configured U-Net, its initial weights a function of the seed."""
    torch.manual_seed(cfg.seed)
    return UNet(**cfg.network)


def train(
    cfg: Config,
    network: UNet,
    images: np.ndarray,
    held_out: np.ndarray,
    *,
    logger: Logger | None,
    callbacks: Sequence[Callback],
) -> TrainingSetup:
    """Train `network` (of `new_network`) on uint8 images [N,C,H,W] as configured.

    Returns the setup, in whose folder the result lies; arguments and errors as `fit`'s.
    """
    key = fingerprints.training(cfg, prepared.read(paths.data(cfg)).train_sha256)
    setup = TrainingSetup(
        alpha_bar=schedule.alpha_bar(**vars(cfg.diffusion)),
        train=cfg.train,
        trainer=cfg.trainer,
        flip=cfg.data.flip,
        seed=cfg.seed,
        work=paths.WORK / f"train-{key}",
    )
    fit(network, images, setup, held_out=held_out, logger=logger, callbacks=callbacks)
    return setup
