"""Part `training`: seconds of a step of our Lightning training beside diffusers' plain loop.

Both sides take turns inside one training of ours: between two stretches of its steps a callback
runs as many of the plain loop's. Saving a resume point, once in hundreds of steps, is not counted.
"""

import copy
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback
from typing_extensions import override

from benchmarks import networks
from benchmarks.findings import Findings
from benchmarks.goals import BFLOAT16_PEAK
from benchmarks.measure import Run, nothing, ratios, timed
from benchmarks.networks import PRECISIONS
from benchmarks.parts import Options
from benchmarks.plainloop import PlainLoop, images
from ddim import schedule
from ddim.config.schema import Config
from ddim.training.fit import TrainingSetup, fit
from ddim.unet import UNet

OURS = "ours"


def run(options: Options, findings: Findings) -> None:
    """Each network in both precisions."""
    cuda = options.device == "cuda"
    defaults = ("cifar10",) if cuda else ("cifar10", "mnist", "digits")
    for name in options.experiments(defaults, quick=("mnist", "digits")):
        for precision in PRECISIONS:
            measure(name, precision, options, findings)


def settings(name: str, precision: str, options: Options) -> Config:
    """The experiment's, with a batch that a CPU finishes in about a second."""
    small = {"cifar10": 2 if options.quick else 4, "mnist": 16 if options.quick else 64}
    defaults = [f"trainer.precision={PRECISIONS[precision]}"]
    if options.device == "cpu" and name in small:
        defaults.append(f"train.batch_size={small[name]}")
    return networks.experiment(options, name, *defaults)


def measure(name: str, precision: str, options: Options, findings: Findings) -> None:
    """One training; the plain loop in the same precision, and in float32 if that is another."""
    cfg = settings(name, precision, options)
    device = torch.device(options.device)
    unet = networks.random_network(cfg).train()
    loops = {each: PlainLoop(cfg, unet, each, device) for each in {precision: 0, "float32": 0}}
    stretch = 10 if options.device == "cuda" or (name == "digits" and not options.quick) else 1
    turns = Turns(
        {side: stretch_of(loop, stretch) for side, loop in loops.items()},
        stretch=stretch,
        warmup=3 * stretch if options.device == "cuda" else stretch,
        finish=networks.finish(device),
    )
    train(cfg, unet, turns, turns.warmup + options.repeats(7, 1) * stretch)
    label = f"{name}, batch {cfg.train.batch_size}, {precision}"
    for side, seconds in turns.seconds.items():
        name_of = "ours" if side == OURS else f"diffusers {side}"
        findings.add(f"{label}: a step, {name_of}", [1e3 * s / stretch for s in seconds], "ms")
    for side in loops:
        faster = ratios(turns.seconds[side], turns.seconds[OURS])
        goal = goal_of(name, precision, side, device)
        findings.add(f"{label}: ours against diffusers {side}", faster, "x", goal)
    if device.type == "cuda" and precision == "bfloat16":
        peak(cfg, [s / stretch for s in turns.seconds[OURS]], label, findings)


def stretch_of(loop: PlainLoop, n: int) -> Run:
    """n steps of the plain loop."""
    return lambda: loop.steps(n)


def goal_of(name: str, precision: str, side: str, device: torch.device) -> str | None:
    """CIFAR-10's: each precision against the same, and bfloat16 against their default too."""
    if name != "cifar10":
        return None
    if device.type == "cuda":
        return "training.diffusers.cuda" if (precision, side) == ("bfloat16", "float32") else None
    return f"training.diffusers.{precision}"


class Turns(Callback):
    """Times stretches of our steps, and after each the same of every other side.

    others: runs `stretch` steps of another side. finish: waits for the device.
    """

    def __init__(
        self, others: Mapping[str, Run], *, stretch: int, warmup: int, finish: Run = nothing
    ) -> None:
        super().__init__()
        self.seconds: dict[str, list[float]] = {OURS: [], **{name: [] for name in others}}
        self.stretch, self.warmup = stretch, warmup
        self._others, self._finish, self._start, self._steps = others, finish, 0.0, 0

    @override
    def on_train_batch_end(self, *_: Any) -> None:
        """Read the clock at the end of a stretch."""
        self._steps += 1
        if self._steps < self.warmup or (self._steps - self.warmup) % self.stretch:
            return
        self._finish()
        if self._steps == self.warmup:
            for run in self._others.values():
                timed(run, self._finish)
        else:
            self.seconds[OURS].append(time.perf_counter() - self._start)
            for name, run in self._others.items():
                self.seconds[name].append(timed(run, self._finish))
        self._start = time.perf_counter()


def train(cfg: Config, unet: UNet, watch: Callback, steps: int) -> None:
    """Our own training, by the code that the stage `train` runs, on random images."""
    recipe = replace(cfg.train, steps=steps, checkpoint_every=steps, validate_every=0)
    with tempfile.TemporaryDirectory() as work:
        setup = TrainingSetup(
            alpha_bar=schedule.alpha_bar(**vars(cfg.diffusion)),
            train=recipe,
            trainer=cfg.trainer,
            flip=cfg.data.flip,
            seed=0,
            work=Path(work),
        )
        fit(copy.deepcopy(unet), images(cfg), setup, callbacks=[watch])


def peak(cfg: Config, seconds: list[float], label: str, findings: Findings) -> None:
    """The share of the GPU's peak that a step reaches: three passes, two operations each."""
    gpu = torch.cuda.get_device_name()
    known = [value for key, value in BFLOAT16_PEAK.items() if key in gpu]
    if not known:
        findings.note(f"no data sheet in benchmarks/goals.py for {gpu}: no share of its peak")
        return
    operations = 6 * networks.multiply_adds(cfg.network)[1] * cfg.train.batch_size
    shares = [operations / s / known[0] for s in seconds]
    findings.add(f"{label}: share of {gpu}'s bfloat16 peak", shares, "", "training.peak")
