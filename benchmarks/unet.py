"""Milliseconds per image of the U-Net: contiguous against channels_last memory, eval and training.

    PYTHONPATH=src python benchmarks/unet.py [--device cuda] [--precision bf16-mixed] [--compile]

The decision that it informs is the last line of UNet.__init__. The best of several repeats, as
other programs only ever make a run slower.
"""

import argparse
import copy
import functools
import time
from collections.abc import Callable

import torch

from ddim.unet import UNet

TINY = UNet(
    image_size=8,
    in_channels=1,
    channels=16,
    multipliers=[1, 2],
    blocks=1,
    attention=[4],
    dropout=0.0,
    groups=4,
)
CIFAR10 = UNet(
    image_size=32,
    in_channels=3,
    channels=128,
    multipliers=[1, 2, 2, 2],
    blocks=2,
    attention=[16],
    dropout=0.1,
    groups=32,
)
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def seconds(runs: list[Callable[[], object]], device: torch.device, repeats: int) -> list[float]:
    """The shortest time of each of `runs`, which take turns so that other load meets all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for i in range(repeats + 2):
        for run, taken in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if i >= 2:  # the first two warm up
                taken.append(time.perf_counter() - start)
    return [min(taken) for taken in times]


def evaluate(unet: Callable, x: torch.Tensor, t: torch.Tensor) -> None:
    """One network evaluation as a sampler makes it."""
    with torch.inference_mode():
        unet(x, t)


def train(unet: Callable, x: torch.Tensor, t: torch.Tensor) -> None:
    """One forward and one backward pass."""
    (unet(x, t) - x).square().mean().backward()


def measure(unet: UNet, step: Callable, n: int, args: argparse.Namespace) -> list[float]:
    """Seconds of one pass over n images, in each of FORMATS."""
    a = unet.arguments
    x = torch.randn(n, a["in_channels"], a["image_size"], a["image_size"], device=args.device)
    t = torch.randint(1, 1001, (n,), device=args.device)
    runs = []
    for layout in FORMATS.values():
        net = copy.deepcopy(unet).to(args.device).to(memory_format=layout).train(step is train)
        model = torch.compile(net) if args.compile else net
        runs.append(functools.partial(step, model, x, t))
    with torch.autocast(args.device.type, torch.bfloat16, enabled=args.precision == "bf16-mixed"):
        return seconds(runs, args.device, args.repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--precision", default="32-true", choices=["32-true", "bf16-mixed"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--batch", type=int, help="of CIFAR-10's network; 8, on CUDA 128")
    parser.add_argument("--repeats", type=int, default=8)
    args = parser.parse_args()
    cuda = args.device.type == "cuda"
    name = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} threads"
    print(f"torch {torch.__version__}, {args.device} ({name}), {args.precision}")
    print(f"{'network':8} {'pass':8} {'batch':>5}  ms/image: contiguous  channels_last  ratio")
    batches = {"tiny": 360, "cifar10": args.batch or (128 if cuda else 8)}
    for label, unet in (("tiny", TINY), ("cifar10", CIFAR10)):
        for step in (evaluate, train):
            n = batches[label]
            ms = [1e3 * s / n for s in measure(unet, step, n, args)]
            row = f"{label:8} {step.__name__:8} {n:5}  {ms[0]:20.4f}  {ms[1]:13.4f}"
            print(f"{row}  {ms[0] / ms[1]:5.2f}", flush=True)


if __name__ == "__main__":
    main()
