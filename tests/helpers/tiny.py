"""A training small enough to be done by hand: network, images, settings, and the loop itself."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor, nn

from ddim import schedule
from ddim.config import schema
from ddim.training import fit as training
from ddim.training.batches import epoch_order
from ddim.training.fit import TrainingResult, load_result

FIT = ("held_out", "logger", "callbacks")  # arguments of ddim.training.fit.fit by name
ALPHA_BAR = schedule.alpha_bar()
CPU = schema.Trainer(
    accelerator=schema.Accelerator.cpu,
    devices=1,
    num_nodes=1,
    strategy="auto",
    precision="32-true",
    compile=False,
)


class Net(nn.Module):
    """Two convolutions over x and t / 1000, with dropout between; `on_call` runs before each."""

    def __init__(self, on_call: Callable[[int], None] | None = None) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 1, 3, padding=1)
        self.dropout = nn.Dropout(0.1)
        self.on_call, self.calls = on_call, 0

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.calls += 1
        if self.on_call is not None:
            self.on_call(self.calls)
        time = (t.to(x.dtype) / 1000)[:, None, None, None].expand_as(x)
        hidden = nn.functional.silu(self.a(torch.cat([x, time], dim=1)))
        return self.b(self.dropout(hidden))


def net(on_call: Callable[[int], None] | None = None) -> Net:
    """A network whose initial weights are always the same."""
    torch.manual_seed(12)
    return Net(on_call)


class RecordingLogger(Logger):
    """Keeps the metrics that it is given: rows of (step, metrics)."""

    name, version = "recording", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        assert step is not None
        self.rows.append((step, dict(metrics)))

    def log_hyperparams(self, *args: object, **kwargs: object) -> None:
        """Lightning requires it."""

    def curve(self, name: str) -> list[tuple[int, float]]:
        """[(step, value)] of one metric."""
        return [(step, metrics[name]) for step, metrics in self.rows if name in metrics]


def kill(call: int, number: int = signal.SIGKILL) -> Callable[[int], None]:
    """An `on_call` that sends this process a signal, in that call."""

    def on_call(current: int) -> None:
        if current == call:
            os.kill(os.getpid(), number)

    return on_call


def images(n: int = 50) -> np.ndarray:
    """uint8 [n,1,8,8]"""
    return np.random.default_rng(5).integers(0, 256, (n, 1, 8, 8), dtype=np.uint8)


def recipe(**changes: object) -> schema.Train:
    """Thirty steps in which every mechanism takes part."""
    settings: dict[str, object] = {
        "steps": 30,
        "batch_size": 8,
        "lr": 1e-2,
        "warmup": 10,
        "grad_clip": 0.5,
        "ema_decay": 0.9,
        "log_every": 4,
        "checkpoint_every": 7,
        "sample_every": 0,
        "validate_every": 0,
    }
    return schema.Train(**(settings | changes))  # type: ignore[arg-type]


def fit(network: nn.Module, work: Path, **changes: Any) -> TrainingResult:
    """What `train` leaves in `work`."""
    train(network, work, **changes)
    return load_result(work)


def train(network: nn.Module, work: Path, **changes: Any) -> None:
    """ddim.training.fit.fit on the images above; `changes` go to fit, its setup or the recipe."""
    arguments = {name: changes.pop(name) for name in FIT if name in changes}
    setup = {"alpha_bar": ALPHA_BAR, "trainer": CPU, "flip": True, "seed": 0}
    setup |= {name: changes.pop(name) for name in setup if name in changes}
    training.fit(
        network,
        changes.pop("images", images()),
        training.TrainingSetup(train=recipe(**changes), work=work, **setup),
        **arguments,
    )


def by_hand(network: nn.Module, train: schema.Train, *, seed: int, world: int):
    """(raw, ema) state dicts after the same training written as one plain loop over `world` ranks.

    Shares only the order of the images with ddim.
    """
    data = images()
    epochs = -(-train.steps * train.batch_size // len(data))
    order = np.concatenate([epoch_order(len(data), seed, epoch) for epoch in range(epochs)])
    adam = torch.optim.Adam(network.parameters(), lr=train.lr)
    ema = [p.detach().clone() for p in network.parameters()]
    share = train.batch_size // world
    for step in range(train.steps):
        adam.zero_grad()
        for rank in range(world):
            words = np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)
            torch.manual_seed(int(words[0]) // 2)
            first = step * train.batch_size + rank * share
            x0 = torch.tensor(data[order[first : first + share]]).float() / 127.5 - 1
            mirrored = torch.rand(share) < 0.5
            x0 = torch.stack([x.flip(-1) if m else x for x, m in zip(x0, mirrored, strict=True)])
            t = torch.randint(1, 1001, (share,))
            eps = torch.randn_like(x0)
            a = ALPHA_BAR[t].reshape(-1, 1, 1, 1)
            x_t = a.sqrt().float() * x0 + (1 - a).sqrt().float() * eps
            (((network(x_t, t) - eps) ** 2).mean() / world).backward()
        nn.utils.clip_grad_norm_(network.parameters(), train.grad_clip)
        adam.param_groups[0]["lr"] = train.lr * min(1.0, (step + 1) / train.warmup)
        adam.step()
        decay = min(train.ema_decay, (2 + step) / (11 + step))
        weights = [p.detach() for p in network.parameters()]
        ema = [decay * e + (1 - decay) * w for e, w in zip(ema, weights, strict=True)]
    names = [name for name, _ in network.named_parameters()]
    return network.state_dict(), dict(zip(names, ema, strict=True))


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
