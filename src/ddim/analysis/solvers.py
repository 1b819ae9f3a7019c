"""Newer samplers in the same table: what would a user of today pick?

Schedulers of diffusers over the same network and the same x_T as our DDIM, by what they cost: the
evaluations of the network that were counted. A solver of the ODE is judged by its distance to the
ODE's solution, DDIM's longest chain from the same x_T; its FID stands beside that, since an error
may happen to lead to better images.
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
from ddim.evaluation.fid import ReferenceStatistics
from ddim.evaluation.fid import fid as frechet_distance
from ddim.evaluation.hypotheses import Comparison, decide, paired
from ddim.evaluation.reference import load_statistics
from ddim.plotting import canvas
from ddim.records.section import Table, Value
from ddim.records.verdict import Verdict
from ddim.runtime import files
from ddim.runtime.progress import Advance, track
from ddim.sampling.generate import generate
from ddim.sampling.round_trip import PRECISION
from ddim.sampling.samplers import DDIM, Sampler

TITLE = "Newer samplers, same network"
CLAIM = (
    "DDIM is the ODE's solver of first order; solvers of higher order, found since then, come "
    "nearer to the ODE's solution with as many evaluations of the same network."
)
SOURCE = "later work (PNDM, DEIS, DPM-Solver++, UniPC: 2022 and 2023); paper, Sec. 4.3 and 7"
OURS = "DDIM (ours)"
OWN_IMAGES = 100  # of the solution in the rows' precision: 1,000 evaluations of each
DODGE = 1.018  # between the points of two samplers in the figure, times their abscissa


@dataclass(frozen=True, eq=False)
class Row:
    """One sampler with one S."""

    name: str
    steps: int
    nfe: int  # counted
    is_ddim: bool  # ours, or diffusers' with another trajectory
    fid: intervals.Estimate
    # Of each image to the ODE's solution, 1 being the distance of unrelated images: [k]. None where
    # the sweep has no eta = 0.
    distances: np.ndarray | None

    @property
    def distance(self) -> float | None:
        """Its mean."""
        return None if self.distances is None else float(self.distances.mean())


@dataclass(frozen=True, eq=False)
class Solution:
    """The ODE's solution: DDIM's longest chain, from the same x_T and in the rows' precision."""

    steps: int
    features: np.ndarray  # float32 [k,D] of its first images, at most as many as a row has
    unrelated: float  # mean distance of two of its images
    precision: str  # in which the sweep's cell was sampled, whose FID this is
    fid: intervals.Estimate | None  # None where it has fewer images than a row

    def distances(self, features: np.ndarray) -> np.ndarray:
        """Of features [n,D] of images from the same x_T: [k]."""
        k = min(len(features), len(self.features))
        return np.linalg.norm(features[:k] - self.features[:k], axis=1) / self.unrelated


@dataclass(frozen=True, eq=False)
class SolversResult:
    """Every sampler at every S."""

    num_images: int
    rows: tuple[Row, ...]
    solution: Solution | None

    @property
    def budgets(self) -> list[int]:
        """Evaluations that our DDIM takes, rising."""
        return sorted({row.nfe for row in self.rows if row.name == OURS})

    def ours(self, budget: int) -> Row:
        """Our DDIM with as many evaluations."""
        return next(row for row in self.rows if row.name == OURS and row.nfe == budget)

    def within(self, budget: int) -> list[Row]:
        """The rows that need at most `budget` evaluations."""
        return [row for row in self.rows if row.nfe <= budget]

    def newer_at(self, budget: int) -> list[Row]:
        """Solvers that are not DDIM's, with just as many evaluations."""
        return [row for row in self.rows if row.nfe == budget and not row.is_ddim]


def measure(context: Context) -> SolversResult:
    """Sample and measure every row of analysis.solvers at every S."""
    settings = context.cfg.analysis.solvers
    samplers = {
        (name, S): sampler
        for S in settings.steps
        for name, sampler in build_samplers(context, S).items()
    }
    reference = load_statistics(paths.reference(context.cfg))
    solution = _solution(context, reference)
    rows = []
    with track(len(samplers) * settings.num_images, "solvers") as advance:
        for (name, S), sampler in samplers.items():
            nfe, fid, apart = _measure_one(context, sampler, reference, solution, advance)
            rows.append(Row(name, S, nfe, _is_ddim(context, name), fid, apart))
    return SolversResult(settings.num_images, tuple(rows), solution)


def _is_ddim(context: Context, name: str) -> bool:
    if name == OURS:
        return True
    return context.cfg.analysis.solvers.rows[name].scheduler == "DDIMScheduler"


def build_samplers(context: Context, S: int) -> dict[str, Sampler]:
    """Ours and every configured scheduler; a mistake in one shows before anything is sampled."""
    from ddim.sampling.diffusers_schedulers import DiffusersSampler

    model: Any = context.eps_model
    alpha_bar = context.alpha_bar
    samplers: dict[str, Sampler] = {OURS: _ddim(context, S)}
    for name, row in context.cfg.analysis.solvers.rows.items():
        try:
            samplers[name] = DiffusersSampler(model, alpha_bar, S, row.scheduler, row.options)
        except ValueError as error:
            key, none = f"analysis.solvers.rows.{name}", "analysis/solvers=none"
            raise ValueError(f"{key}: {error} (or set {none})") from None
    return samplers


def _ddim(context: Context, S: int) -> DDIM:
    """Ours with S steps."""
    model: Any = context.eps_model
    tau, alpha_bar = context.tau(S), context.alpha_bar
    return DDIM(eps_model=model, alpha_bar=alpha_bar, tau=tau, eta=0.0, clip_x0=False)


def _measure_one(
    context: Context,
    sampler: Sampler,
    reference: ReferenceStatistics,
    solution: Solution | None,
    advance: Advance,
) -> tuple[int, intervals.Estimate, np.ndarray | None]:
    """(evaluations an image, FID, distances to the ODE's solution)."""
    shape = (context.cfg.analysis.solvers.num_images, context.extractor.num_features)
    with files.scratch(paths.WORK, shape, np.float32) as features:
        nfe = _sample(context, sampler, advance, features)
        apart = None if solution is None else solution.distances(features)
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


def _solution(context: Context, reference: ReferenceStatistics) -> Solution | None:
    """The sweep's longest eta = 0 images of the first seed; None if it has none.

    Where the sweep is in another precision than the rows, whose rounding would count as a distance,
    the first OWN_IMAGES are sampled again.
    """
    cfg = context.cfg
    if 0.0 not in cfg.sweep.eta:
        return None
    n, longest = cfg.analysis.solvers.num_images, max(cfg.sweep.steps)
    features = context.features(context.cell_images(longest, 0.0, n))
    fid = frechet_distance(features, reference) if len(features) == n else None
    if cfg.sample.precision != PRECISION:
        features = np.empty((min(n, OWN_IMAGES), features.shape[1]), np.float32)
        with track(len(features), "the ODE's solution") as advance:
            _sample(context, _ddim(context, longest), advance, features)
    unrelated = statistics.unrelated_distance(features)
    return Solution(longest, features, unrelated, cfg.sample.precision, fid)


# --- presentation ---------------------------------------------------------------------------------


def present(result: SolversResult) -> SectionContent:
    """Which one is nearest to the ODE's solution at what cost, and which FID that gives."""
    return SectionContent(
        finding=_finding(result),
        text=_text(result),
        numbers=_numbers(result),
        verdicts=_verdicts(result),
        figures=_figures(result),
        tables=_tables(result.rows),
    )


def _finding(result: SolversResult) -> str:
    def named(row: Row, number: float) -> str:
        return f"{row.name} ({number:.3g})"

    lowest = {b: min(result.within(b), key=lambda r: r.fid.value) for b in result.budgets}
    of_fid = [f"{named(row, row.fid.value)} within {b}" for b, row in lowest.items()]
    if result.solution is None:
        return f"The lowest FID is that of {', '.join(of_fid)} evaluations."
    nearest = {b: min(result.within(b), key=lambda r: r.distance or 0.0) for b in result.budgets}
    parts = [f"{named(row, row.distance or 0.0)} within {b}" for b, row in nearest.items()]
    return f"Nearest to the ODE's solution: {', '.join(parts)} evaluations; 1 is unrelated images."


def _text(result: SolversResult) -> str:
    text = (
        f"{result.num_images} images each, x_T of the sweep's first seed. A scheduler brings its "
        "own trajectory and may evaluate the network more than S times; the abscissa counts the "
        "evaluations themselves."
    )
    solution = result.solution
    if solution is None:
        return text
    lucky = [row for row in result.rows if _is_lucky(row, solution)]
    text += (
        f" The ODE's solution is DDIM's chain of {solution.steps} steps from the same x_T, in the "
        f"rows' precision ({PRECISION}). Distances are means over {len(solution.features)} images."
    )
    if solution.precision != PRECISION and solution.fid is not None:
        text += f" Its FID is that of the sweep's images, sampled in {solution.precision}."
    if lucky:
        names = ", ".join(f"{row.name} with {row.nfe} evaluations" for row in lucky)
        text += (
            f" Clearly below that solution's own FID are {names}: no better solutions, but errors "
            "that happen to lead to better images."
        )
    return text


def _is_lucky(row: Row, solution: Solution) -> bool:
    """Whether its FID is below that of the very solution that it approximates, beyond chance."""
    if solution.fid is None:
        return False
    differences = row.fid.parts[0] - solution.fid.parts[0]
    error = paired(row.name, differences).standard_error
    return row.fid.value - solution.fid.value < -intervals.Z * error


def _numbers(result: SolversResult) -> dict[str, float]:
    numbers = {f"fid_{row.name}_S{row.steps}": float(row.fid.value) for row in result.rows}
    for row in result.rows:
        if row.distance is not None:
            numbers[f"distance_{row.name}_S{row.steps}"] = row.distance
    return numbers


def _verdicts(result: SolversResult) -> tuple[Verdict, ...]:
    """Every newer solver against our DDIM at equal cost, paired by x_T."""
    pairs = [(new, result.ours(b)) for b in result.budgets for new in result.newer_at(b)]
    comparisons = [
        comparison for new, ours in pairs if (comparison := _nearer(new, ours)) is not None
    ]
    if not comparisons:
        return ()
    decision = decide(comparisons)
    best = min(pairs, key=lambda pair: (pair[0].distance or 0.0) / (pair[1].distance or 1.0))
    new, ours = best
    verdict = Verdict(
        claim="At equal cost, newer solvers come nearer to the ODE's solution than DDIM",
        source=SOURCE,
        paper="",
        ours=(
            f"{new.name}, {new.nfe} evaluations: {new.distance or 0.0:.2g}, "
            f"DDIM {ours.distance or 0.0:.2g}"
        ),
        test=f"paired by x_T: {decision.summary}",
        word=decision.word,
    )
    return (verdict,)


def _nearer(new: Row, ours: Row) -> Comparison | None:
    if new.distances is None or ours.distances is None:
        return None
    return paired(f"{new.name}, {new.nfe} evaluations", new.distances - ours.distances)


def _tables(rows: Sequence[Row]) -> tuple[Table, ...]:
    names = list(dict.fromkeys(row.name for row in rows))
    steps = list(dict.fromkeys(row.steps for row in rows))
    at = {(row.name, row.steps): row for row in rows}

    def wide(title: str, value: Callable[[Row], Value]) -> Table:
        lines = [[name, *(value(at[name, S]) for S in steps)] for name in names]
        return table(title, ["sampler", *(f"S = {S}" for S in steps)], lines)

    tables = [
        wide("FID, 95 % interval", lambda row: "{:.3g} ({:.3g} – {:.3g})".format(
            row.fid.value, *row.fid.interval)),
        wide("Evaluations of the network per image", lambda row: row.nfe),
    ]  # fmt: skip
    if rows[0].distance is not None:
        title = "Feature distance to the ODE's solution, same x_T; 1: unrelated images"
        tables.insert(0, wide(title, lambda row: f"{row.distance or 0.0:.3g}"))
    return tuple(tables)


def _figures(result: SolversResult) -> tuple[FigureContent, ...]:
    """Distance to the solution first, where there is one; then FID."""
    if result.solution is None:
        return (_fid_figure(result),)
    return (_distance_figure(result), _fid_figure(result))


def _by_name(rows: Sequence[Row]) -> list[tuple[int, str, list[Row]]]:
    """Each sampler's place, name and rows, by rising cost."""
    names = dict.fromkeys(row.name for row in rows)
    return [
        (i, name, sorted((r for r in rows if r.name == name), key=lambda r: r.nfe))
        for i, name in enumerate(names)
    ]


def _distance_figure(result: SolversResult) -> FigureContent:
    assert result.solution is not None
    longest = result.solution.steps
    with canvas.canvas(width=8.2, height=4.4) as figure:
        (axes,) = figure.axes
        for i, name, rows in _by_name(result.rows):
            every = [intervals.of_mean(row.distances) for row in rows if row.distances is not None]
            mean, low, high = (list(column) for column in zip(*every, strict=True))
            canvas.curve(axes, i, [row.nfe for row in rows], mean, name)
            canvas.band(axes, i, [row.nfe for row in rows], low, high)
        axes.set(xlabel="evaluations of the network for one image")
        axes.set(ylabel="distance to the ODE's solution")
        canvas.log_y(axes)
        canvas.ticks(axes, result.budgets)
        canvas.legend_beside(axes)
    return FigureContent(
        file="distance.png",
        content=figure.png,
        is_chart=True,
        caption=f"Feature distance to DDIM's chain of {longest} steps from the same x_T; 1 is "
        "unrelated images. Bands: 95 % intervals.",
        alt="Falling curves, one for each sampler, of the distance to the ODE's solution against "
        "the evaluations of the network, on logarithmic axes.",
        columns=["sampler", "S", "nfe", "distance"],
        rows=[(r.name, r.steps, r.nfe, r.distance) for r in result.rows],
    )


def _fid_figure(result: SolversResult) -> FigureContent:
    with canvas.canvas(width=8.2, height=4.4) as figure:
        (axes,) = figure.axes
        for i, name, rows in _by_name(result.rows):
            fid = [row.fid for row in rows]
            nfe = [row.nfe * DODGE ** (i - 3) for row in rows]  # so that bars do not overlap
            canvas.curve(axes, i, nfe, [each.value for each in fid], name)
            canvas.whiskers(axes, i, nfe, *zip(*(each.interval for each in fid), strict=True))
        axes.set(xlabel="evaluations of the network for one image", ylabel="FID")
        canvas.log_y(axes)
        canvas.ticks(axes, result.budgets)
        solution = result.solution
        if solution is not None and solution.fid is not None:
            canvas.level(axes, solution.fid.value, f"DDIM, S = {solution.steps}")
        canvas.legend_beside(axes)
    return FigureContent(
        file="fid.png",
        content=figure.png,
        is_chart=True,
        caption=f"FID of {result.num_images} images each; dotted: the ODE's solution itself. "
        "Bars: 95 % intervals; samplers of equal cost stand side by side.",
        alt="Falling curves, one for each sampler, of FID against the evaluations of the network, "
        "on logarithmic axes.",
        columns=["sampler", "S", "nfe", "fid", "low", "high"],
        rows=[(r.name, r.steps, r.nfe, r.fid.value, *r.fid.interval) for r in result.rows],
    )
