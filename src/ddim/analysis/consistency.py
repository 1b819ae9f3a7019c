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
from ddim.evaluation import intervals
from ddim.plotting import canvas

TITLE = "One latent, one image, however many steps"
CLAIM = (
    "With σ = 0 the generation is a function of x_T alone, so trajectories of different lengths "
    "that start from the same x_T lead to the same image."
)
ETAS = (0.0, 1.0)
Interval = tuple[float, float, float]  # mean, low, high


@dataclass(frozen=True)
class Distance:
    """The images of one S and eta against those of the longest trajectory; 1: unrelated ones."""

    eta: float
    S: int
    pixel: Interval
    feature: Interval

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


def measure(context: Context) -> ConsistencyResult:
    """Compare every S of the sweep with the longest one."""
    cfg = context.cfg
    steps = tuple(sorted(cfg.sweep.steps))
    etas = tuple(eta for eta in ETAS if eta in cfg.sweep.eta)
    if 0.0 not in etas or len(steps) < 2:
        return ConsistencyResult(steps, etas, 0, {}, {})
    images = {(eta, S): context.cell_images(S, eta) for eta in etas for S in steps}
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


def _to_last(vectors: Sequence[np.ndarray]) -> list[Interval]:
    """Mean distance of each array [N,D] to the last one; 1 is that of unrelated images."""
    last = vectors[-1]
    unrelated = statistics.unrelated_distance(last)
    return [intervals.of_mean(np.linalg.norm(v - last, axis=1) / unrelated) for v in vectors]


# --- presentation ---------------------------------------------------------------------------------


def present(result: ConsistencyResult) -> SectionContent:
    """Distances against S, and the images themselves."""
    if not result.distances:
        return SectionContent(
            finding="Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
        )
    middle, longest = result.steps[-2:]
    at = result.distances
    contrast = "."
    if 1.0 in result.etas:
        contrast = f", and by {at[1.0, middle].feature[0]:.0%} at η = 1."
    return SectionContent(
        finding=(
            f"From the same x_T, the images with S = {middle} and S = {longest} differ by "
            f"{at[0.0, middle].feature[0]:.0%} of the feature distance of unrelated images at "
            f"η = 0{contrast}"
        ),
        text=f"Mean over {result.num_images} images of the sweep, the first of each cell, none "
        "left out.",
        numbers=_numbers(result),
        figures=(_curves(result), _grid(result)),
    )


def _numbers(result: ConsistencyResult) -> dict[str, float]:
    numbers = {}
    for (eta, S), distance in result.distances.items():
        if result.steps[-1] != S:
            numbers[f"pixel_eta{eta:g}_S{S}"] = distance.pixel[0]
            numbers[f"feature_eta{eta:g}_S{S}"] = distance.feature[0]
    return numbers


def _curves(result: ConsistencyResult) -> FigureContent:
    *steps, longest = result.steps
    with canvas.canvas(2, width=7.4) as figure:
        for axes, name in zip(figure.axes, ("pixel", "feature"), strict=True):
            for i, eta in enumerate(result.etas):
                row = [getattr(result.distances[eta, S], name) for S in steps]
                canvas.curve(axes, i, steps, [mean for mean, _, _ in row], f"η = {eta:g}")
                canvas.band(axes, i, steps, [low for _, low, _ in row], [high for *_, high in row])
            canvas.level(axes, 1)
            axes.set(xlabel="steps S", ylabel=f"distance to S = {longest}", title=f"{name}s")
            axes.set_ylim(bottom=0)
            canvas.ticks(axes, steps)
        figure.axes[0].legend()
    every = result.distances.values()
    columns = ["eta", "S", "pixel", "pixel_low", "pixel_high"]
    return FigureContent(
        file="distances.png",
        content=figure.png,
        caption=f"Distance to the image with S = {longest} from the same x_T; 1 (dotted) is the "
        "distance of two unrelated images. Bands: 95 % intervals of the mean.",
        alt="Two panels, pixel and feature distance against the number of steps, "
        + "; ".join(
            f"η = {d.eta:g}, S = {d.S}: {d.pixel[0]:.2f}, {d.feature[0]:.2f}" for d in every
        ),
        columns=[*columns, "feature", "feature_low", "feature_high"],
        rows=[distance.row for distance in every],
    )


def _grid(result: ConsistencyResult) -> FigureContent:
    places = list(result.images)
    images = list(result.images.values())
    return FigureContent(
        file="same_latent.png",
        content=canvas.picture(
            np.concatenate(images),
            len(images[0]),
            row_labels=[f"η = {eta:g}, S = {S}" for eta, S in places],
        ),
        caption="One column, one x_T.",
        alt="A grid of images, a row for each η and S, a column for each x_T; how alike the rows "
        "are is measured in the other figure.",
        columns=["row", "eta", "S"],
        rows=[(i, *place) for i, place in enumerate(places)],
    )
