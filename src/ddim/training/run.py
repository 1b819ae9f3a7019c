"""From the configuration to the two weight files: the network, its training, the export."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback
from pytorch_lightning.loggers import Logger

from ddim import schedule, weights
from ddim.config import paths
from ddim.config.schema import Config
from ddim.records import fingerprints, prepared
from ddim.records.training import Recipe, Training
from ddim.runtime import files
from ddim.training.fit import TrainingResult, TrainingSetup, fit, load_result
from ddim.unet import UNet

TRAINED_HERE = "trained here"  # the source of the weights, as records and files quote it


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


def export_trained(
    cfg: Config, network: UNet, setup: TrainingSetup
) -> tuple[Training, TrainingResult]:
    """Export both weight sets of the finished training; the record, and the result itself."""
    result = load_result(setup.work)
    info = {"trained_steps": result.steps, "source": TRAINED_HERE}
    for kind, state in (("ema", result.ema), ("raw", result.raw)):
        network.load_state_dict(state)
        export(cfg, network, kind, info)
    recipe = Recipe(
        steps=result.steps,
        batch_size=cfg.train.batch_size,
        lr=cfg.train.lr,
        ema_decay=cfg.train.ema_decay,
        flip=cfg.data.flip,
        precision=cfg.trainer.precision,
    )
    return record(cfg, network, TRAINED_HERE, recipe, result.loss), result


def export(cfg: Config, network: UNet, kind: str, info: dict[str, Any]) -> None:
    """Write `out/<name>/train/<kind>.safetensors`; info: trained_steps and source."""
    about = {"data": cfg.data.name, "diffusion": vars(cfg.diffusion), "seed": cfg.seed}
    path = paths.weights(cfg) / f"{kind}.safetensors"
    weights.save(path, network, kind=kind, info=info | about)


def record(
    cfg: Config,
    network: UNet,
    source: str,
    recipe: Recipe | None,
    loss: Sequence[tuple[int, float]],
) -> Training:
    """The record of the weights that lie in `out/<name>/train`."""
    exported = sorted(paths.weights(cfg).glob("*.safetensors"))
    return Training(
        source=source,
        parameters=sum(p.numel() for p in network.parameters()),
        seed=cfg.seed,
        recipe=recipe,
        sha256={path.stem: files.sha256(path) for path in exported},
        loss=tuple((int(step), float(value)) for step, value in loss),
    )
