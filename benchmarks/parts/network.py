"""Part `network`: size and cost of every configured network, and the speed that is reached.

Contiguous against channels_last memory informs the last line of UNet.__init__.
"""

import copy
import functools
import itertools

import torch
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.findings import Findings
from benchmarks.measure import interleaved, ratios
from benchmarks.parts import Options

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
BATCHES = {"digits": 360, "mnist": 64, "cifar10": 4}
CUDA_BATCHES = {"digits": 4096, "mnist": 1024, "cifar10": 256}


def run(options: Options, findings: Findings) -> None:
    """The table of costs, then the two memory formats."""
    table(options, findings)
    for name in options.experiments(tuple(BATCHES), quick=("digits", "mnist")):
        formats(name, options, findings)


def table(options: Options, findings: Findings) -> None:
    """Parameters and multiply-adds of one image's forward pass; CIFAR-10's is the unit."""
    arguments = {name: networks.experiment(options, name).network for name in networks.EXPERIMENTS}
    costs = {name: networks.multiply_adds(each) for name, each in arguments.items()}
    unit = costs["cifar10"][1]
    findings.note("| network | parameters | MFLOP a forward pass | multiply-adds / CIFAR-10's |")
    findings.note("|---|---|---|---|")
    for name, (parameters, cost) in costs.items():
        relative = f"{cost / unit:.3g}"
        findings.note(f"| {name} | {parameters:,} | {2 * cost / 1e6:,.1f} | {relative} |")


def formats(name: str, options: Options, findings: Findings) -> None:
    """Forward passes, and steps forward and backward, in both memory formats."""
    device = torch.device(options.device)
    cfg = networks.experiment(options, name, "trainer.compile=false")
    unet = networks.random_network(cfg)
    n = (CUDA_BATCHES if device.type == "cuda" else BATCHES)[name]
    n = max(2, n // 4) if options.quick else n
    x, t = torch.randn(n, *cfg.image_shape, device=device), torch.full((n,), 500, device=device)
    operations = 2 * networks.multiply_adds(cfg.network)[1] * n
    steps = ((forward, 1), (forward_and_backward, 3))
    for (step, passes), precision in itertools.product(steps, networks.PRECISIONS):
        models = {
            key: copy.deepcopy(unet).to(device).to(memory_format=layout)
            for key, layout in FORMATS.items()
        }
        sides = {
            key: functools.partial(step, model, x, t, networks.autocast(device, precision))
            for key, model in models.items()
        }
        seconds = interleaved(sides, options.repeats(9, 1), finish=networks.finish(device))
        label = f"{name}, batch {n}, {precision}, {step.__name__.replace('_', ' ')}"
        for key, values in seconds.items():
            rates = [operations * passes / value / 1e9 for value in values]
            findings.add(f"{label}: {key}", rates, "GFLOP/s")
        faster = ratios(seconds["contiguous"], seconds["channels_last"])
        findings.add(f"{label}: channels_last against contiguous", faster, "x")


def forward(model: nn.Module, x: Tensor, t: Tensor, precision: torch.autocast) -> None:
    """As a sampler evaluates the network."""
    with torch.no_grad(), precision:
        model.eval()(x, t)


def forward_and_backward(model: nn.Module, x: Tensor, t: Tensor, precision: torch.autocast) -> None:
    """As a training step does, without the optimizer."""
    with precision:
        loss = (model.train()(x, t) - x).square().mean()
    loss.backward()
