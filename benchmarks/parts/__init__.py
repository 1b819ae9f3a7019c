"""The parts, one module each, which `run(options, findings)` measures. Imports none of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Part:
    """What a part measures, and which arguments it takes beside --quick, --json and --out.

    against: what --against accepts. cuda: whether --device does that. overrides: whether settings
    as experiment=mnist may follow. in_all: whether `all` runs it.
    """

    about: str
    against: tuple[str, ...] = ()
    cuda: bool = False
    overrides: bool = False
    in_all: bool = True


PARTS = {
    "startup": Part("seconds until a program does something, beside `import torch`"),
    "network": Part("size of every network, GFLOP/s reached, memory formats", cuda=True),
    "sampling": Part(
        "the sampler beside bare forward passes, diffusers and plain PyTorch",
        against=("forwards", "sequential", "diffusers", "plain"),
        cuda=True,
        overrides=True,
    ),
    "training": Part("a training step beside diffusers' plain loop", cuda=True, overrides=True),
    "statistics": Part(
        "FID, KID, precision and recall beside torch-fidelity and torchmetrics",
        against=("torch-fidelity", "engines"),
    ),
    "scaling": Part("time and peak memory against images, steps and cells"),
    "load": Part("300 cells, a million images: memory, open files, time per unit", in_all=False),
    "pipeline": Part("dvc repro with nothing to do, one more cell, a grid of many"),
    "profile": Part(
        "the ten most expensive operations, and a Chrome trace", cuda=True, overrides=True
    ),
    "whole": Part("the default pipeline from nothing: minutes, not in `all`", in_all=False),
}


@dataclass(frozen=True)
class Options:
    """What a part is asked for."""

    quick: bool = False
    device: str = "cpu"
    against: str | None = None
    overrides: tuple[str, ...] = ()
    out: Path | None = None  # the folder of --out, for what is neither page nor numbers

    def wants(self, comparison: str) -> bool:
        """Whether --against leaves this comparison in."""
        return self.against in (None, comparison)

    def repeats(self, full: int, quick: int = 2) -> int:
        """How often to measure."""
        return quick if self.quick else full

    def settings(self, *defaults: str) -> tuple[str, ...]:
        """Overrides of the configuration: `defaults`, then the device's, then the user's own."""
        return (*defaults, f"trainer={'gpu' if self.device == 'cuda' else 'cpu'}", *self.overrides)

    def experiments(
        self, defaults: Sequence[str], quick: Sequence[str] = ("digits",)
    ) -> tuple[str, ...]:
        """Those to measure: the one that the overrides name, or else `defaults` (`quick`)."""
        named = [o.partition("=")[2] for o in self.overrides if o.startswith("experiment=")]
        return tuple(named) or tuple(quick if self.quick else defaults)
