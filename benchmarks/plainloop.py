"""A plain training loop around diffusers' network, as its examples have it: no Lightning."""

import copy
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import networks
from ddim.config.schema import Config
from ddim.unet import UNet


class PlainLoop:
    """Adam, gradients clipped, a rising learning rate, diffusers' EMAModel and DDPMScheduler.

    Contiguous and eager; `precision` float32, or bfloat16 under autocast.
    """

    def __init__(self, cfg: Config, unet: UNet, precision: str, device: torch.device) -> None:
        from diffusers import DDPMScheduler
        from diffusers.training_utils import EMAModel

        self.network = networks.twin(copy.deepcopy(unet)).to(device).train()
        self._train, self._precision, self._device = cfg.train, precision, device
        self._scheduler = DDPMScheduler(num_train_timesteps=cfg.diffusion.T)
        self._parameters = list(self.network.parameters())
        self._adam = torch.optim.Adam(self._parameters, lr=cfg.train.lr)
        warmup = max(cfg.train.warmup, 1)
        self._rise = torch.optim.lr_scheduler.LambdaLR(
            self._adam, lambda step: min(1.0, (step + 1) / warmup)
        )
        self._ema = EMAModel(self._parameters, decay=cfg.train.ema_decay)
        self._images = self._batches(images(cfg))

    def _batches(self, data: np.ndarray) -> Iterator[Tensor]:
        """Shuffled batches of floats on [-1, 1], epoch after epoch."""
        floats = torch.from_numpy(data).float() / 127.5 - 1
        loader = DataLoader(
            TensorDataset(floats), self._train.batch_size, shuffle=True, drop_last=True
        )
        while True:
            for (batch,) in loader:
                yield batch.to(self._device)

    def step(self) -> None:
        """One training step."""
        x0 = next(self._images)
        eps = torch.randn_like(x0)
        t = torch.randint(0, self._scheduler.config.num_train_timesteps, (len(x0),)).to(x0.device)
        x_t = self._scheduler.add_noise(x0, eps, t)
        with networks.autocast(self._device, self._precision):
            predicted = self.network(x_t, t).sample
        F.mse_loss(predicted.float(), eps).backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, self._train.grad_clip)
        self._adam.step()
        self._rise.step()
        self._adam.zero_grad()
        self._ema.step(self._parameters)

    def steps(self, n: int) -> None:
        """n of them."""
        for _ in range(n):
            self.step()


def images(cfg: Config) -> np.ndarray:
    """Random images of the configured shape, uint8 [N,C,H,W], for any batch size."""
    n = max(1024, 2 * cfg.train.batch_size)
    return np.random.default_rng(0).integers(0, 256, (n, *cfg.image_shape), dtype=np.uint8)
