"""Multiply-adds of one network evaluation of one image, for every network of conf/model.

    PYTHONPATH=src python benchmarks/flops.py

Counted by torch's FlopCounterMode on the meta device: no memory, no arithmetic, a few seconds. It
counts matrix products and convolutions, two operations to a multiply-add; normalisations,
activations and additions are left out.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from ddim.config import params
from ddim.unet import UNet

EXPERIMENTS = ("digits", "mnist", "cifar10", "celeba", "lsun_bedroom")


def multiply_adds(experiment: str) -> tuple[int, float]:
    """(parameters, multiply-adds of one image's forward pass) of an experiment's network."""
    from ddim.config.schema import checked

    cfg = checked(params.from_conf([f"experiment={experiment}"]))
    with torch.device("meta"):
        network = UNet(**cfg.network).eval().to("meta")
        x, t = torch.empty(1, *cfg.image_shape), torch.ones(1, dtype=torch.int64)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(x, t)
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() / 2


def main() -> None:
    """Print a table, CIFAR-10's network as the unit."""
    costs = {name: multiply_adds(name) for name in EXPERIMENTS}
    unit = costs["cifar10"][1]
    print(
        "| network | parameters | multiply-adds (10^9) | relative to CIFAR-10 |\n|---|---|---|---|"
    )
    for name, (parameters, cost) in costs.items():
        print(f"| {name} | {parameters:,} | {cost / 1e9:.3f} | {cost / unit:.3g} |")


if __name__ == "__main__":
    main()
