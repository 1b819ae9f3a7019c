"""Images per second of training and of sampling, on random images, through the real code.

    PYTHONPATH=src python benchmarks/training.py experiment=cifar10 train.batch_size=256

Takes the overrides of every stage. Training runs 300 steps and is timed over the last 200 (the
compiler and the caches need the first ones); sampling makes one batch of sample.batch_size images
twice, with cell.steps steps, and times the second.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from pytorch_lightning.loggers import Logger
from typing_extensions import override

from ddim import schedule
from ddim.config.schema import Config, checked, register
from ddim.runtime.device import describe, torch_device
from ddim.sampling.generate import generate
from ddim.sampling.network import EpsModel
from ddim.sampling.samplers import DDIM
from ddim.training.fit import TrainingSetup, fit
from ddim.unet import UNet

STEPS, EVERY = 300, 100


class Rates(Logger):
    """Keeps what a logger is told."""

    name, version = "rates", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []

    @override
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.rows.append(metrics)

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Lightning requires it."""


def training(cfg: Config) -> float:
    """Images per second."""
    rates = Rates()
    cfg.train.steps, cfg.train.log_every = STEPS, EVERY
    cfg.train.checkpoint_every = STEPS
    images = np.random.default_rng(0).integers(0, 256, (4096, *cfg.image_shape), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as work:
        setup = TrainingSetup(
            alpha_bar=schedule.alpha_bar(**vars(cfg.diffusion)),
            train=cfg.train,
            trainer=cfg.trainer,
            flip=cfg.data.flip,
            seed=0,
            work=Path(work),
        )
        fit(UNet(**cfg.network), images, setup, logger=rates)
    last = [row["train/images_per_second"] for row in rates.rows[1:]]
    return len(last) / sum(1 / rate for rate in last)


def sampling(cfg: Config) -> float:
    """Images per second and step of the sampler."""
    device = torch_device(cfg.trainer.accelerator)
    model = EpsModel(
        UNet(**cfg.network), precision=cfg.sample.precision, compiled=cfg.trainer.compile
    )
    alpha_bar = schedule.alpha_bar(**vars(cfg.diffusion))
    tau = schedule.trajectory(cfg.diffusion.T, cfg.cell.steps)
    sampler = DDIM(
        eps_model=model.place(device), alpha_bar=alpha_bar, tau=tau, eta=cfg.cell.eta, clip_x0=False
    )
    n = cfg.sample.batch_size
    for _ in range(2):
        start = time.perf_counter()
        list(
            generate(sampler, range(n), seed=0, shape=cfg.image_shape, batch_size=n, device=device)
        )
        seconds = time.perf_counter() - start
    return n * len(tau) / seconds


def main() -> None:
    """Print one line for each."""
    register()
    with initialize_config_dir(str(Path("conf").absolute()), version_base="1.3"):
        cfg = checked(compose("config", overrides=sys.argv[1:]))
    where = f"{describe(torch_device(cfg.trainer.accelerator))}, torch {torch.__version__}"
    print(f"{where}; compile={cfg.trainer.compile}")
    rate = training(cfg)
    batch = f"batch {cfg.train.batch_size}, {cfg.trainer.precision}"
    print(f"training ({batch}): {rate:.0f} images/s, {rate / cfg.train.batch_size:.2f} steps/s")
    rate = sampling(cfg)
    batch = f"batch {cfg.sample.batch_size}, {cfg.sample.precision}, eta {cfg.cell.eta}"
    print(f"sampling ({batch}): {rate:.0f} image-steps/s")


if __name__ == "__main__":
    main()
