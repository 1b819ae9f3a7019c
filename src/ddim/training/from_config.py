"""From the configuration to a training: the network, and what determines its weights."""

import torch

from ddim import schedule
from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, prepared
from ddim.training.fit import TrainingSetup
from ddim.unet import UNet


def new_network(cfg: Config) -> UNet:
    """The configured U-Net, its initial weights a function of the seed."""
    torch.manual_seed(cfg.seed)
    return UNet(**cfg.network)


def setup(cfg: Config) -> TrainingSetup:
    """The configured training on the prepared images; its folder is named by what determines it."""
    key = fingerprints.training(cfg, prepared.read(paths.data(cfg)).train_sha256)
    return TrainingSetup(
        alpha_bar=schedule.alpha_bar(**vars(cfg.diffusion)),
        train=cfg.train,
        trainer=cfg.trainer,
        flip=cfg.data.flip,
        seed=cfg.seed,
        work=paths.WORK / f"train-{key}",
    )
