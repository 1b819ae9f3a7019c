"""What each experiment would cost on this machine: network evaluations, over a measured rate.

As docs/scaling.md works it out. The networks are run for a few seconds, the smallest first; one
that is too large for that is scaled from the last by its multiply-adds. A training step is taken
as three evaluations of its batch: one forward, and a backward of two.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ddim.config import params
from ddim.config.schema import Config
from ddim.runtime.progress import Advance

if TYPE_CHECKING:
    import torch

TRAINING = 3  # evaluations that an image costs in a training step
SECONDS = 1.5  # that a network is run for, after one batch
BUDGET = 14.0  # seconds for all of them
BATCH = 50  # images at a time, at most
EXPERIMENTS = Path("conf") / "experiment"
LEFT_OUT = {"discrete_digits"}  # Appendix A: a network of its own, and no grid


@dataclass(frozen=True)
class Work:
    """The network evaluations of one experiment; an evaluation is of one image."""

    training: int
    sampling: int
    reconstruction: int

    @classmethod
    def of(cls, cfg: Config) -> "Work":
        """Training unless weights are imported; every cell of the grid; Table 2, both ways."""
        imported = cfg.train.import_from is not None
        return cls(
            0 if imported else TRAINING * cfg.train.steps * cfg.train.batch_size,
            sum(cell.sample.count(cell.cell.steps) * cell.cell.steps for cell in cfg.cells()),
            2 * cfg.reconstruct.num_images * sum(cfg.reconstruct.steps),
        )

    @property
    def total(self) -> int:
        """All of them."""
        return self.training + self.sampling + self.reconstruction


@dataclass(frozen=True)
class Cost:
    """One experiment: its work, its network's multiply-adds, and evaluations per second here."""

    name: str
    work: Work
    macs: int
    rate: float
    measured: bool  # otherwise scaled from another network's rate


def estimates(device: "torch.device") -> list[Cost]:
    """The cost of every experiment of conf/experiment, cheapest network first."""
    names = sorted({path.stem for path in EXPERIMENTS.glob("*.yaml")} - LEFT_OUT)
    cfgs = {name: _composed(name) for name in names}
    macs = {name: multiply_adds(cfg.network) for name, cfg in cfgs.items()}
    order = sorted(cfgs, key=macs.__getitem__)
    rates = _rates({name: (macs[name], cfgs[name].network) for name in order}, device)
    return [Cost(name, Work.of(cfgs[name]), macs[name], *rates[macs[name]]) for name in order]


def _composed(name: str) -> Config:
    from ddim.config.schema import checked

    return checked(params.from_conf([f"experiment={name}"]))


def multiply_adds(arguments: Mapping[str, Any]) -> int:
    """Of one evaluation of one image; nothing is computed."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ddim.unet import UNet

    size, channels = arguments["image_size"], arguments["in_channels"]
    with torch.device("meta"), torch.no_grad():
        unet = UNet(**arguments).eval().to("meta")  # its buffers too
        with FlopCounterMode(display=False) as counter:
            unet(torch.empty(1, channels, size, size), torch.ones(1, dtype=torch.int64))
    return int(counter.get_total_flops()) // 2


def _rates(
    networks: Mapping[str, tuple[int, Mapping[str, Any]]], device: "torch.device"
) -> dict[int, tuple[float, bool]]:
    """{multiply-adds: (evaluations per second, whether measured)}, smallest first."""
    rates: dict[int, tuple[float, bool]] = {}
    end = time.monotonic() + BUDGET
    for macs, arguments in networks.values():
        if macs in rates:
            continue
        last = next(reversed(rates), None)
        expected = rates[last][0] * last / macs if last else float("inf")
        if expected * SECONDS < 1 or time.monotonic() + SECONDS > end:
            rates[macs] = (expected, False)
        else:
            rates[macs] = (rate(arguments, device, batch=_batch(expected)), True)
    return rates


def _batch(expected: float) -> int:
    """Images at a time, of which several batches fit into SECONDS."""
    return max(1, int(min(BATCH, expected * SECONDS / 4)))


def rate(arguments: Mapping[str, Any], device: "torch.device", *, batch: int) -> float:
    """Evaluations of one image per second over about SECONDS, batches side by side as in sampling.

    float32, not compiled.
    """
    import torch

    from ddim.sampling.network import EpsModel
    from ddim.sampling.parallel import map_batches
    from ddim.unet import UNet

    size, channels = arguments["image_size"], arguments["in_channels"]
    model = EpsModel(UNet(**arguments)).place(device)

    def evaluated(x: torch.Tensor, _: Advance) -> float:
        """Evaluations per second of one worker."""
        t = torch.ones(batch, dtype=torch.int64, device=device)
        float(model(x, t).sum())  # the first call prepares; a sum that is read waits for the device
        done, start = 0, time.monotonic()
        while (seconds := time.monotonic() - start) < SECONDS:
            float(model(x, t).sum())
            done += batch
        return done / seconds

    workers = torch.get_num_threads() if device.type == "cpu" else 1
    x = torch.zeros(batch, channels, size, size, device=device)
    return sum(map_batches(evaluated, [x] * workers, device))
