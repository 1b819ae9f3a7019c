"""Newer samplers in the same table: what would a user of today pick?

Schedulers of diffusers over the same network and the same x_T as our DDIM, by what they cost: the
evaluations of the network that were counted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import Context
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.config import paths
from ddim.evaluation import intervals
from ddim.evaluation.aggregate import overlap
from ddim.evaluation.fid import ReferenceStatistics
from ddim.evaluation.fid import fid as frechet_distance
from ddim.evaluation.reference import load_statistics
from ddim.plotting import canvas
from ddim.records.section import Table, Value
from ddim.runtime import files
from ddim.runtime.progress import Advance, track
from ddim.sampling.generate import generate
from ddim.sampling.samplers import DDIM, Sampler

TITLE = "Newer samplers, same network"
CLAIM = (
    "DDIM made few steps possible with the network of a DDPM; samplers found since then "
    "serve the same network."
)
OURS = "DDIM (ours)"


@dataclass(frozen=True)
class Row:
    """One sampler with one S."""

    name: str
    steps: int
    nfe: int  # counted
    fid: intervals.Estimate
    distance: float | None  # to our longest eta = 0 cell, 1 being that of unrelated images


@dataclass(frozen=True)
class SolversResult:
    """Every sampler at every S."""

    num_images: int
    rows: tuple[Row, ...]

    @property
    def budgets(self) -> list[int]:
        """Evaluations that our DDIM takes, rising."""
        return sorted({row.nfe for row in self.rows if row.name == OURS})

    def best_within(self, budget: int) -> Row:
        """The row of the lowest FID that needs at most `budget` evaluations."""
        return min((row for row in self.rows if row.nfe <= budget), key=lambda row: row.fid.value)


def measure(context: Context) -> SolversResult:
    """Sample and measure every row of analysis.solvers at every S."""
    settings = context.cfg.analysis.solvers
    samplers = {
        (name, S): sampler
        for S in settings.steps
        for name, sampler in build_samplers(context, S).items()
    }
    reference = load_statistics(paths.reference(context.cfg))
    distance = _distance_to_longest(context)
    rows = []
    with track(len(samplers) * settings.num_images, "solvers") as advance:
        for (name, S), sampler in samplers.items():
            nfe, fid, apart = _measure_one(context, sampler, reference, distance, advance)
            rows.append(Row(name, S, nfe, fid, apart))
    return SolversResult(settings.num_images, tuple(rows))


def build_samplers(context: Context, S: int) -> dict[str, Sampler]:
    """Ours and every configured scheduler; a mistake in one shows before anything is sampled."""
    from ddim.sampling.diffusers_schedulers import DiffusersSampler

    model: Any = context.eps_model
    alpha_bar = context.alpha_bar
    ours = DDIM(eps_model=model, alpha_bar=alpha_bar, tau=context.tau(S), eta=0.0, clip_x0=False)
    samplers: dict[str, Sampler] = {OURS: ours}
    for name, row in context.cfg.analysis.solvers.rows.items():
        try:
            samplers[name] = DiffusersSampler(model, alpha_bar, S, row.scheduler, row.options)
        except ValueError as error:
            key, none = f"analysis.solvers.rows.{name}", "analysis/solvers=none"
            raise ValueError(f"{key}: {error} (or set {none})") from None
    return samplers


def _measure_one(
    context: Context,
    sampler: Sampler,
    reference: ReferenceStatistics,
    distance: Callable[[np.ndarray], float] | None,
    advance: Advance,
) -> tuple[int, intervals.Estimate, float | None]:
    """(evaluations an image, FID, distance to the longest chain)."""
    shape = (context.cfg.analysis.solvers.num_images, context.extractor.num_features)
    with files.scratch(paths.WORK, shape, np.float32) as features:
        nfe = _sample(context, sampler, advance, features)
        apart = None if distance is None else distance(features)
        return nfe, frechet_distance(features, reference), apart


def _sample(context: Context, sampler: Sampler, advance: Advance, features: np.ndarray) -> int:
    """Write the features of n images, from the x_T of the sweep's first seed, to `features` [n,D].

    Returns the evaluations per image.
    """
    n, first = len(features), 0
    counter = _Counter(sampler.eps_model)
    for images in generate(
        replace(sampler, eps_model=counter),  # type: ignore[type-var]
        range(n),
        seed=context.cfg.sweep.seeds[0],
        shape=context.cfg.image_shape,
        batch_size=context.cfg.sample.batch_size,
        device=context.device,
        advance=advance,
    ):
        features[first : first + len(images)] = context.features(images)
        first += len(images)
    assert first == n
    assert counter.images % n == 0
    return counter.images // n


class _Counter:
    """An eps_model that counts the images that it is asked about."""

    def __init__(self, eps_model: Callable[..., Any]) -> None:
        self._eps_model = eps_model
        self._batches: list[int] = []  # several threads append; a sum would lose some of theirs

    @property
    def images(self) -> int:
        """How many it was asked about."""
        return sum(self._batches)

    def __call__(self, x: Any, t: Any) -> Any:
        self._batches.append(len(x))
        return self._eps_model(x, t)


def _distance_to_longest(context: Context) -> Callable[[np.ndarray], float] | None:
    """Feature distance to the sweep's longest eta = 0 images, which have the same x_T."""
    cfg = context.cfg
    if 0.0 not in cfg.sweep.eta:
        return None
    longest = context.features(context.cell_images(max(cfg.sweep.steps), 0.0))
    unrelated = statistics.unrelated_distance(longest)

    def distance(features: np.ndarray) -> float:
        ours = features[: len(longest)]
        return float(np.linalg.norm(ours - longest[: len(ours)], axis=1).mean() / unrelated)

    return distance


# --- presentation ---------------------------------------------------------------------------------


def present(result: SolversResult) -> SectionContent:
    """Which one is best at about the cost of a short trajectory."""
    budgets = result.budgets
    picks = {budget: result.best_within(budget) for budget in budgets}
    winners = ", ".join(
        f"{row.name} within {budget} evaluations ({row.fid.value:.2f})"
        for budget, row in picks.items()
    )
    ours = next(r for r in result.rows if r.name == OURS and r.nfe == budgets[0])
    chance = overlap(ours.fid.interval, picks[budgets[0]].fid.interval)
    return SectionContent(
        finding=f"The lowest FID is that of {winners}.",
        text=(
            f"{result.num_images} images each, x_T of the sweep's first seed. A scheduler "
            "brings its own trajectory and may evaluate the network more than S times; the "
            "abscissa counts the evaluations themselves. At "
            f"{budgets[0]} evaluations the best differs from our DDIM by "
            f"{'less' if chance else 'more'} than the 95 % intervals."
        ),
        numbers={f"fid_{row.name}_S{row.steps}": float(row.fid.value) for row in result.rows},
        figures=(_figure(result.rows),),
        tables=_tables(result.rows),
    )


def _tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    names = list(dict.fromkeys(row.name for row in rows))
    steps = list(dict.fromkeys(row.steps for row in rows))
    at = {(row.name, row.steps): row for row in rows}

    def wide(title: str, value: Callable[[Row], Value]) -> Table:
        lines = [[name, *(value(at[name, S]) for S in steps)] for name in names]
        return table(title, ["sampler", *(f"S = {S}" for S in steps)], lines)

    tables = [
        wide("FID", lambda row: float(row.fid.value)),
        wide("FID, 95 % interval", lambda row: "{:.4g} – {:.4g}".format(*row.fid.interval)),
        wide("Evaluations of the network per image", lambda row: row.nfe),
    ]
    if rows[0].distance is not None:
        title = "Feature distance to DDIM's longest chain, same x_T"
        tables.append(wide(title, lambda row: float(row.distance or 0.0)))
    return tuple(tables)


def _figure(rows: Sequence[Row]) -> FigureContent:
    with canvas.canvas(height=4.2) as figure:
        (axes,) = figure.axes
        for i, name in enumerate(dict.fromkeys(row.name for row in rows)):
            mine = [row for row in rows if row.name == name]
            canvas.curve(axes, i, [r.nfe for r in mine], [r.fid.value for r in mine], name)
        axes.set(xlabel="evaluations of the network", ylabel="FID", yscale="log")
        canvas.ticks(axes, sorted({row.nfe for row in rows if row.name == OURS}))
        axes.legend()
    return FigureContent(
        file="fid.png",
        content=figure.png,
        caption="FID against the cost, on logarithmic axes: one network, one set of x_T.",
        alt="; ".join(f"{r.name}, {r.nfe} evaluations: FID {r.fid.value:.2f}" for r in rows),
        columns=["sampler", "S", "nfe", "fid", "low", "high", "distance"],
        rows=[(r.name, r.steps, r.nfe, r.fid.value, *r.fid.interval, r.distance) for r in rows],
    )
