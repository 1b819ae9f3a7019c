"""Consistency (Fig. 5): the same x_T with few and with many steps gives the same image.

Reads the sweep's own images: every cell of a seed starts from the same x_T, so nothing is sampled
again. eta = 1 is there to contrast: same x_T, but noise on the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import Context
from ddim.analysis.section_content import FigureContent, SectionContent
from ddim.evaluation import hypotheses, intervals
from ddim.plotting import canvas
from ddim.records.verdict import Verdict

TITLE = "One latent, one image, however many steps"
CLAIM = (
    "With σ = 0, trajectories of different lengths from the same x_T lead to images with the same "
    "high-level features, so x_T alone is an informative latent of the image."
)
SOURCE = "paper, Sec. 5.2 and Fig. 5"
LEADING = (10, 20)  # numbers of steps that are shown, where the sweep has them
ETAS = (0.0, 1.0)
Interval = tuple[float, float, float]  # mean, low, high


@dataclass(frozen=True)
class Distance:
    """The images of one S and eta against those of the longest trajectory; 1: unrelated ones."""

    eta: float
    S: int
    pixels: np.ndarray  # float64 [N], image by image
    features: np.ndarray  # float64 [N]

    @property
    def pixel(self) -> Interval:
        """The mean in pixels."""
        return intervals.of_mean(self.pixels)

    @property
    def feature(self) -> Interval:
        """The mean in features."""
        return intervals.of_mean(self.features)

    @property
    def row(self) -> tuple[float, ...]:
        """Its line of the CSV."""
        return (self.eta, self.S, *self.pixel, *self.feature)


@dataclass(frozen=True)
class ConsistencyResult:
    """Distances by (eta, S), and the first images of every cell; empty where not measurable."""

    steps: tuple[int, ...]  # rising
    etas: tuple[float, ...]
    num_images: int
    distances: Mapping[tuple[float, int], Distance]
    images: Mapping[tuple[float, int], np.ndarray]  # uint8 [num_shown,C,H,W]

    @property
    def short(self) -> tuple[int, ...]:
        """Every S but the longest."""
        return self.steps[:-1]

    @property
    def leading(self) -> tuple[int, ...]:
        """The few steps that are shown first."""
        return tuple(S for S in LEADING if S in self.short) or self.short[:2]


def measure(context: Context) -> ConsistencyResult:
    """Compare every S of the sweep with the longest one."""
    cfg = context.cfg
    steps = tuple(sorted(cfg.sweep.steps))
    etas = tuple(eta for eta in ETAS if eta in cfg.sweep.eta)
    if 0.0 not in etas or len(steps) < 2:
        return ConsistencyResult(steps, etas, 0, {}, {})
    images = {(eta, S): context.cell_images(S, eta) for eta in etas for S in steps}
    fewest = min(map(len, images.values()))
    images = {place: every[:fewest] for place, every in images.items()}
    distances: dict[tuple[float, int], Distance] = {}
    for eta in etas:
        distances |= _distances(context, eta, {S: images[eta, S] for S in steps})
    num_images = len(images[0.0, steps[0]])
    first = {place: every[: cfg.analysis.num_shown] for place, every in images.items()}
    return ConsistencyResult(steps, etas, num_images, distances, first)


def _distances(
    context: Context, eta: float, images: Mapping[int, np.ndarray]
) -> dict[tuple[float, int], Distance]:
    """Of uint8 images [N,C,H,W] by S to those of the last S, in pixels and in features."""
    flat = [each.reshape(len(each), -1).astype(np.float64) for each in images.values()]
    features = [context.features(each).astype(np.float64) for each in images.values()]
    return {
        (eta, S): Distance(eta, S, pixel, feature)
        for S, pixel, feature in zip(images, _to_last(flat), _to_last(features), strict=True)
    }


def _to_last(vectors: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Distances [N] of the rows of each array [N,D] to the last one's; 1: unrelated images."""
    last = vectors[-1]
    unrelated = statistics.unrelated_distance(last)
    return [np.linalg.norm(v - last, axis=1) / unrelated for v in vectors]


# --- presentation ---------------------------------------------------------------------------------


def present(result: ConsistencyResult) -> SectionContent:
    """Distances against S, and the images themselves."""
    if not result.distances:
        return SectionContent(
            finding="Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
        )
    steps = " and ".join(f"{S}" for S in result.leading)
    contrast = f", against {_shares(result, 1.0)} at η = 1" if 1.0 in result.etas else ""
    return SectionContent(
        finding=(
            f"From the same x_T, the images with S = {steps} differ from those with S = "
            f"{result.steps[-1]} by {_shares(result, 0.0)} of the feature distance of unrelated "
            f"images at η = 0{contrast}."
        ),
        text=f"Mean over {result.num_images} images of the sweep, the first of each cell, none "
        f"left out. All S of the sweep are in the second figure: {_all_shares(result)}.",
        numbers=_numbers(result),
        verdicts=_verdicts(result),
        figures=(_grid(result), _curves(result)),
    )


def _shares(result: ConsistencyResult, eta: float) -> str:
    """'41% and 27%', of the leading steps."""
    return " and ".join(f"{result.distances[eta, S].feature[0]:.0%}" for S in result.leading)


def _all_shares(result: ConsistencyResult) -> str:
    """'S = 10: 41% at η = 0, 98% at η = 1; S = 20: ...'."""
    at = result.distances
    return "; ".join(
        f"S = {S}: "
        + ", ".join(f"{at[eta, S].feature[0]:.0%} at η = {eta:g}" for eta in result.etas)
        for S in result.short
    )


def _verdicts(result: ConsistencyResult) -> tuple[Verdict, ...]:
    """At every short S, nearer to the longest with eta = 0 than with eta = 1."""
    if 1.0 not in result.etas:
        return ()
    at = result.distances
    decision = hypotheses.decide(
        [
            hypotheses.paired(f"S = {S}", at[0.0, S].features - at[1.0, S].features)
            for S in result.short
        ]
    )
    steps = " and ".join(f"{S}" for S in result.leading)
    ours = f"{_shares(result, 0.0)} with η = 0, {_shares(result, 1.0)} with η = 1 at S = {steps}"
    return (
        Verdict(
            claim="From one x_T, few steps come nearer to the longest chain's image if η = 0",
            source=SOURCE,
            paper="",
            ours=ours,
            test=f"paired by x_T: {decision.summary}",
            word=decision.word,
        ),
    )


def _numbers(result: ConsistencyResult) -> dict[str, float]:
    numbers = {}
    for (eta, S), distance in result.distances.items():
        if result.steps[-1] != S:
            numbers[f"pixel_eta{eta:g}_S{S}"] = distance.pixel[0]
            numbers[f"feature_eta{eta:g}_S{S}"] = distance.feature[0]
    return numbers


def _curves(result: ConsistencyResult) -> FigureContent:
    steps, longest = result.short, result.steps[-1]
    with canvas.canvas(2, width=8.6, height=3.6) as figure:
        for axes, name in zip(figure.axes, ("pixel", "feature"), strict=True):
            for i, eta in enumerate(result.etas):
                row = [getattr(result.distances[eta, S], name) for S in steps]
                canvas.curve(axes, i, steps, [mean for mean, _, _ in row], f"η = {eta:g}")
                canvas.band(axes, i, steps, [low for _, low, _ in row], [high for *_, high in row])
            canvas.level(axes, 1)
            axes.set(xlabel="number of steps S", ylabel=f"{name} distance to S = {longest}")
            axes.set_ylim(bottom=0)
            canvas.ticks(axes, steps)
        canvas.legend_above(figure.axes)
    columns = ["eta", "S", "pixel", "pixel_low", "pixel_high"]
    return FigureContent(
        file="distances.png",
        content=figure.png,
        is_chart=True,
        caption=f"Distance to the image with S = {longest} from the same x_T; 1 (dotted): two "
        "unrelated images. Bands: 95 % intervals of the mean.",
        alt="Two panels, pixel and feature distance to the longest chain's image against the "
        f"number of steps S, a curve for each of {len(result.etas)} η.",
        columns=[*columns, "feature", "feature_low", "feature_high"],
        rows=[distance.row for distance in result.distances.values()],
    )


def _grid(result: ConsistencyResult) -> FigureContent:
    """The leading steps and the longest, eta by eta."""
    steps = (*result.leading, result.steps[-1])
    places = [(eta, S) for eta in result.etas for S in steps]
    return FigureContent(
        file="same_latent.png",
        content=canvas.strips(
            np.stack([result.images[place] for place in places]),
            row_labels=[f"η = {eta:g}, S = {S}" for eta, S in places],
            group=len(steps),
        ),
        caption=f"One column, one x_T; for each η, few steps above the longest chain, "
        f"S = {steps[-1]}.",
        alt="Blocks of rows of images, one block for each η; in each, the images of few steps and "
        "of the longest chain from the same x_T stand below one another.",
        columns=["row", "eta", "S"],
        rows=[(i, *place) for i, place in enumerate(places)],
    )
