"""Newer samplers in the same table: what would a user of today pick?

Schedulers of diffusers over the same network and the same x_T as our DDIM, by what they cost: the
evaluations of the network that were really made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import Bench
from ddim.config import paths
from ddim.evaluation import intervals
from ddim.evaluation.fid import fid as frechet_distance
from ddim.evaluation.reference import load_statistics
from ddim.plotting import canvas
from ddim.records.section import Section
from ddim.runtime import files
from ddim.runtime.progress import Advance, track
from ddim.sampling.generate import DDIM, Walk, generate

CLAIM = (
    "DDIM made few steps possible with the network of a DDPM; samplers found since then "
    "serve the same network."
)
OURS = "DDIM (ours)"


@dataclass(frozen=True)
class Measured:
    """One solver with one S."""

    name: str
    steps: int
    nfe: int  # counted
    fid: intervals.Estimate
    distance: float | None  # to our longest eta = 0 cell, 1 being that of unrelated images


def section(bench: Bench) -> Section:
    """Sample and measure every row of `solvers` at every S."""
    made = Section("solvers", 9, "Newer samplers, same network", CLAIM)
    solvers = bench.cfg.solvers
    walks = {(name, S): walk for S in solvers.steps for name, walk in _walks(bench, S).items()}
    reference = load_statistics(paths.reference(bench.cfg))
    distance = _distance_to_longest(bench)
    found = []
    with track(len(walks) * solvers.num_images, "solvers") as advance:
        for (name, S), walk in walks.items():
            shape = (solvers.num_images, bench.extractor.num_features)
            with files.scratch(paths.WORK, shape, np.float32) as seen:
                nfe = _sample(bench, walk, advance, seen)
                fid = frechet_distance(seen, reference)
                found.append(Measured(name, S, nfe, fid, distance(seen) if distance else None))
    _table(found, made)
    _figure(found, made)
    _say(bench, found, made)
    return made


def _walks(bench: Bench, S: int) -> dict[str, Walk]:
    """Ours and every configured scheduler; a mistake in one shows before any image is made."""
    from ddim.sampling.diffusers_schedulers import Scheduler

    model: Any = bench.eps_model
    ours = DDIM(
        eps_model=model, alpha_bar=bench.alpha_bar, tau=bench.tau(S), eta=0.0, clip_x0=False
    )
    walks: dict[str, Walk] = {OURS: ours}
    for name, row in bench.cfg.solvers.rows.items():
        try:
            walks[name] = Scheduler(model, bench.alpha_bar, S, row.scheduler, row.options)
        except ValueError as error:
            raise ValueError(f"solvers.rows.{name}: {error} (or set solvers=none)") from None
    return walks


def _sample(bench: Bench, walk: Walk, advance: Advance, seen: np.ndarray) -> int:
    """Write the features of n images, from the x_T of the sweep's first seed, to `seen` [n,D].

    Returns the evaluations per image.
    """
    n, first = len(seen), 0
    counter = _Counter(walk.eps_model)
    for images in generate(
        replace(walk, eps_model=counter),  # type: ignore[type-var]
        range(n),
        seed=bench.cfg.sweep.seeds[0],
        shape=bench.cfg.image_shape,
        batch_size=bench.cfg.sample.batch_size,
        device=bench.device,
        advance=advance,
    ):
        seen[first : first + len(images)] = bench.features(images)
        first += len(images)
    assert first == n
    assert counter.images % n == 0
    return counter.images // n


class _Counter:
    """An eps_model that counts the images that it is asked about."""

    def __init__(self, eps_model: Callable[..., Any]) -> None:
        self._eps_model, self.images = eps_model, 0

    def __call__(self, x: Any, t: Any) -> Any:
        self.images += len(x)
        return self._eps_model(x, t)


def _distance_to_longest(bench: Bench) -> Callable[[np.ndarray], float] | None:
    """Feature distance to the sweep's longest eta = 0 images, which have the same x_T."""
    cfg = bench.cfg
    if 0.0 not in cfg.sweep.eta:
        return None
    longest = bench.features(bench.cell_images(max(cfg.sweep.steps), 0.0))
    unrelated = statistics.unrelated_distance(longest)

    def distance(seen: np.ndarray) -> float:
        found = seen[: len(longest)]
        return float(np.linalg.norm(found - longest[: len(found)], axis=1).mean() / unrelated)

    return distance


def _table(found: Sequence[Measured], made: Section) -> None:
    names = list(dict.fromkeys(m.name for m in found))
    steps = list(dict.fromkeys(m.steps for m in found))
    at = {(m.name, m.steps): m for m in found}

    def wide(title: str, cell: Callable[[Measured], object]) -> None:
        rows = [[name, *(cell(at[name, S]) for S in steps)] for name in names]
        made.table(title, ["sampler", *(f"S = {S}" for S in steps)], rows)

    wide("FID", lambda m: float(m.fid.value))
    wide("FID, 95 % interval", lambda m: "{:.4g} – {:.4g}".format(*m.fid.interval))
    wide("Evaluations of the network per image", lambda m: m.nfe)
    if found[0].distance is not None:
        wide("Feature distance to DDIM's longest chain, same x_T", lambda m: m.distance)


def _figure(found: Sequence[Measured], made: Section) -> None:
    names = list(dict.fromkeys(m.name for m in found))
    with canvas.canvas(height=4.2) as drawn:
        (axes,) = drawn.axes
        for i, name in enumerate(names):
            mine = [m for m in found if m.name == name]
            canvas.curve(axes, i, [m.nfe for m in mine], [m.fid.value for m in mine], name)
        axes.set(xlabel="evaluations of the network", ylabel="FID", yscale="log")
        canvas.ticks(axes, sorted({m.nfe for m in found if m.name == OURS}))
        axes.legend()
    made.figure(
        "fid.png",
        drawn.png,
        caption="FID against the cost, on logarithmic axes: one network, one set of x_T.",
        alt="; ".join(f"{m.name}, {m.nfe} evaluations: FID {m.fid.value:.2f}" for m in found),
        columns=["sampler", "S", "nfe", "fid", "low", "high", "distance"],
        rows=[(m.name, m.steps, m.nfe, m.fid.value, *m.fid.interval, m.distance) for m in found],
    )


def _say(bench: Bench, found: Sequence[Measured], made: Section) -> None:
    """Which one is best at about the cost of a short trajectory."""
    made.numbers |= {f"fid_{m.name}_S{m.steps}": float(m.fid.value) for m in found}
    budgets = sorted({m.nfe for m in found if m.name == OURS})
    picks = [min((m for m in found if m.nfe <= b), key=lambda m: m.fid.value) for b in budgets]
    made.finding = "The lowest FID is that of " + ", ".join(
        f"{pick.name} within {budget} evaluations ({pick.fid.value:.2f})"
        for pick, budget in zip(picks, budgets, strict=True)
    ) + "."  # fmt: skip
    ours = next(m for m in found if m.name == OURS and m.steps == budgets[0])
    best = picks[0]
    apart = not intervals.overlap(ours.fid.interval, best.fid.interval)
    made.text = (
        f"{bench.cfg.solvers.num_images} images each, x_T of the sweep's first seed. A scheduler "
        "brings its own trajectory and may evaluate the network more than S times; the abscissa "
        f"counts what was really evaluated. At {budgets[0]} evaluations the best differs from our DDIM by "
        + ("more" if apart else "less")
        + " than the 95 % intervals."
    )
