"""ddim doctor: what this machine has, what is missing, and what each experiment would cost on it.

`python -m ddim.commandline.doctor [--quick]`. Changes nothing. --quick leaves out the costs, which
take about 20 seconds.
"""

import argparse
import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ddim.evaluation import inception_file
from ddim.runtime.cli import Parser, command
from ddim.runtime.usage import filled

if TYPE_CHECKING:
    import torch

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "dvc", "wandb", "diffusers")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# What shows that a set is there, under its data.root; any one of them.
SETS = {
    "mnist": ("MNIST/raw",),
    "cifar10": ("cifar-10-batches-py",),
    "cifar10_jpeg": (".",),
    "celeba": ("celeba/img_align_celeba",),
    "lsun_bedroom": ("bedroom_train_lmdb", "bedroom", "bedroom.zip"),
    "lsun_church": ("church_outdoor_train_lmdb", "church_outdoor", "church_outdoor.zip"),
}
WIDTH = 18  # columns of the names


def main(arguments: Sequence[str]) -> None:
    """The command line of `ddim doctor`."""
    parser = Parser(prog="ddim doctor", description=filled(__doc__))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="leave out the costs")
    quick = parser.parse_args(arguments).quick
    for name, value in _machine():
        print(f"{name:<{WIDTH}}{value}", flush=True)
    if quick:
        return
    if not Path("conf").is_dir():
        raise ValueError(f"no folder conf/ in {Path.cwd()}: the costs need the project's root")
    print("\nrunning the networks of the experiments for a few seconds ...", flush=True)
    for line in _costs():
        print(line)


def _machine() -> Iterator[tuple[str, str]]:
    """(name, value) of everything that is found."""
    yield "ddim", f"{version('ddim')}, Python {platform.python_version()}, {platform.platform()}"
    for package in PACKAGES:
        yield package, _version(package)
    yield from _devices()
    free = shutil.disk_usage(Path.cwd()).free
    yield "disk", f"{free / 1e9:.0f} GB free here"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    yield "Chromium", browser or "absent: tests of the page in a browser are skipped"
    yield "Inception", _inception()
    yield "data sets", _data_sets()
    yield "reports", _reports()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _devices() -> Iterator[tuple[str, str]]:
    import torch

    from ddim.runtime.device import describe, torch_device

    chosen = torch_device("auto")
    yield "device", f"{describe(chosen)}: what trainer.accelerator=auto takes"
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        yield f"GPU {i}", f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield "processor", f"{_cores()} cores usable, {memory:.0f} GiB of memory"
    if hasattr(os, "getloadavg"):
        load = os.getloadavg()[0]
        busy = ": it is busy, the costs below are too high" if load > _cores() / 2 else ""
        yield "load", f"{load:.1f} of {_cores()} cores in the last minute{busy}"
    yield "bfloat16", _bfloat16(chosen)


def _cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _bfloat16(device: "torch.device") -> str:
    """Whether bf16-mixed gains anything on `device`."""
    import torch

    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.backends.cpu.get_cpu_capability()
        flags = Path("/proc/cpuinfo")
        found = flags.read_text(errors="replace") if flags.is_file() else ""
        fast = "avx512_bf16" in found or "amx_bf16" in found or " bf16" in found
        return f"{'in hardware' if fast else 'emulated, slower than float32'} ({capabilities})"
    else:
        return "not known of this device"
    return "in hardware" if fast else "not in hardware: use trainer.precision=32-true"


def _inception() -> str:
    import torch

    path = Path(torch.hub.get_dir()) / "checkpoints" / inception_file.FILE
    return f"{path}" if path.is_file() else "absent: features=inception downloads its file (95 MB)"


def _data_sets() -> str:
    """The sets of conf/data that are there; scikit-learn's digits always are."""
    from omegaconf import OmegaConf

    there: list[str] = ["digits"]
    absent: list[str] = []
    for name, places in SETS.items():
        path = Path("conf/data") / f"{name}.yaml"
        if path.is_file():
            root = Path(str(OmegaConf.load(path).root))
            found = any((root / place).exists() for place in places)
            (there if found else absent).append(name)
    return ", ".join(there) + (f"; not here: {', '.join(absent)}" if absent else "")


def _reports() -> str:
    from ddim.records import published

    names = published.names()
    return f"with weights: {', '.join(names)}" if names else "none with weights"


def digits(rate: float) -> str:
    """'1,220', '8.1' or '0.043'."""
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def span(seconds: float) -> str:
    """A time as an estimate has it, in two digits: '26 min', '1.2 h', '9.4 days', '40 years'."""
    for unit, size in (("years", 365 * 86400), ("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            number = seconds / size
            return f"{number:.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"
    return f"{seconds:.0f} s"


def _costs() -> Iterator[str]:
    """A table of the experiments."""
    from ddim.commandline.costs import estimates
    from ddim.runtime.device import torch_device

    titles = ("evaluations/s", "training", "sampling", "in all")
    yield f"{'experiment=':<{WIDTH}}" + "".join(f"{title:>14}" for title in titles)
    for cost in estimates(torch_device("auto")):
        times = (cost.work.training, cost.work.sampling, cost.work.total)
        mark = "" if cost.measured else "~"
        columns = [f"{mark}{digits(cost.rate)}", *(span(n / cost.rate) for n in times)]
        yield f"{cost.name:<{WIDTH}}" + "".join(f"{column:>14}" for column in columns)
    yield ""
    yield "Estimates: network evaluations (images x steps; 3 for an image of a training step) over"
    yield "the rate measured just now, float32 and not compiled; ~ scaled from another network by"
    yield "multiply-adds. Features, the analysis and files come on top. See docs/scaling.md."


if __name__ == "__main__":
    command(main)
