"""Part `profile`: which operations a training step and a sampling step of a network consist of.

    python -m benchmarks profile experiment=mnist train.batch_size=32

Takes every setting; the network has random weights, whose speed is that of trained ones. The
traces open in https://ui.perfetto.dev or chrome://tracing. The profiler makes steps slower: its
shares are what to look at, not its seconds.
"""

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from torch.profiler import ProfilerActivity, profile
from typing_extensions import override

from benchmarks import networks
from benchmarks.findings import Findings
from benchmarks.parts import Options
from benchmarks.parts.training import train
from ddim import schedule
from ddim.config.schema import Config
from ddim.noise import Noise
from ddim.sampling.network import EpsModel
from ddim.sampling.samplers import DDIM

LARGEST = 10  # operations in a table
FOLDER = Path("out/profile")  # of the traces, where --out says nothing
WARMUP = 2  # steps that are not profiled: memory, kernels, compilation


def run(options: Options, findings: Findings) -> None:
    """Training first, then sampling."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own lines, GPUs that it misses
    cfg, device = configured(options), torch.device(options.device)
    folder = options.out or FOLDER
    steps = options.repeats(5, 1)
    for label, profiled in (("training", profile_training), ("sampling", profile_sampling)):
        profiler = new_profiler(device)
        n, seconds = profiled(cfg, profiler, steps, device)
        findings.add(f"{cfg.name}, {label}, {n} images a step, under the profiler", seconds, "s")
        trace = folder / f"{label}.trace.json.gz"
        folder.mkdir(parents=True, exist_ok=True)
        profiler.export_chrome_trace(str(trace))
        findings.note(f"{label}: the trace of {steps} steps is {trace}")
        for line in table(profiler, device):
            findings.note(line)


def configured(options: Options) -> Config:
    """What conf/ gives, or with --quick a small batch of it unless the user says otherwise."""
    small = ["train.batch_size=16", "sample.batch_size=16"] if options.quick else []
    return networks.config(options, *small)


def new_profiler(device: torch.device) -> profile:
    """Of the processor, and of the GPU if that computes."""
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    return profile(activities=activities)


def profile_training(
    cfg: Config, profiler: profile, steps: int, device: torch.device
) -> tuple[int, list[float]]:
    """Images a step, and seconds of the profiled steps of our training."""
    watch = ProfiledSteps(profiler, steps, networks.finish(device))
    train(cfg, networks.random_network(cfg).train(), watch, WARMUP + steps)
    return cfg.train.batch_size, watch.seconds


class ProfiledSteps(Callback):
    """Starts the profiler after WARMUP steps and stops it when `steps` more are done.

    finish: waits for the device.
    """

    def __init__(self, profiler: profile, steps: int, finish: Callable[[], object]) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._profiler, self._finish = profiler, finish
        self._left, self._start = WARMUP + steps, 0.0
        self._steps = steps

    @override
    def on_train_batch_end(self, *_: Any) -> None:
        """Count the step that has ended."""
        self._finish()
        now = time.perf_counter()
        if self._left <= self._steps:
            self.seconds.append(now - self._start)
        self._left -= 1
        if self._left == self._steps:
            self._profiler.start()
        elif self._left == 0:
            self._profiler.stop()
        self._start = time.perf_counter()


def profile_sampling(
    cfg: Config, profiler: profile, steps: int, device: torch.device
) -> tuple[int, list[float]]:
    """Images a step, and seconds of the profiled steps of the configured cell's sampler."""
    precision, compiled = cfg.sample.precision, cfg.trainer.compile
    model = EpsModel(networks.random_network(cfg), precision=precision, compiled=compiled)
    sampler = DDIM(
        eps_model=model.place(device),
        alpha_bar=schedule.alpha_bar(**vars(cfg.diffusion)),
        tau=schedule.trajectory(cfg.diffusion.T, WARMUP + steps + 1),
        eta=cfg.cell.eta,
        clip_x0=False,
    )
    finish = networks.finish(device)
    noise = Noise(0, range(cfg.sample.batch_size), cfg.image_shape, device)
    states = sampler(noise.draw(), noise)
    for _ in range(WARMUP):
        next(states)
    seconds = []
    finish()
    with profiler:
        for _ in range(steps):  # not the last step of the trajectory, which draws no noise
            start = time.perf_counter()
            next(states)
            finish()
            seconds.append(time.perf_counter() - start)
    return cfg.sample.batch_size, seconds


@dataclasses.dataclass(frozen=True)
class Operation:
    """One kind of operation: how often it ran, and its own seconds, without those it called."""

    name: str
    calls: int
    seconds: float


def operations(profiler: profile, device: torch.device) -> list[Operation]:
    """All that took time, the longest first: on a GPU its own time, on a processor that."""
    kind = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    events = [
        Operation(event.key, event.count, getattr(event, kind) / 1e6)
        for event in profiler.key_averages()
    ]
    return sorted((e for e in events if e.seconds > 0), key=lambda e: -e.seconds)


def table(profiler: profile, device: torch.device) -> Sequence[str]:
    """The LARGEST most expensive operations, as Markdown."""
    every = operations(profiler, device)
    total = sum(each.seconds for each in every)
    lines = ["| operation | calls | own time, ms | share |", "|---|---|---|---|"]
    for each in every[:LARGEST]:
        row = f"| `{each.name}` | {each.calls} | {1e3 * each.seconds:.2f}"
        lines.append(f"{row} | {each.seconds / total:.1%} |")
    return lines
