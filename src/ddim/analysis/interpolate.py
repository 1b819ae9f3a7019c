"""Interpolation (Fig. 6, D.5): between latents, between encoded real images, among four corners.

What makes a good path, in numbers, for slerp and for two controls, the straight line between the
latents and the cross-fade of the end images' pixels: that it is even (no jump), short (no detour),
and stays among images (its middle is no farther from real ones than its ends).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddim.analysis import statistics
from ddim.analysis.context import PATHS, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.evaluation import hypotheses, intervals
from ddim.images import to_float
from ddim.plotting import canvas
from ddim.records.section import Table
from ddim.records.verdict import Verdict
from ddim.sampler import slerp

TITLE = "Interpolation"
CLAIM = (
    "Because x_T determines the image, latents can be interpolated: the images between two "
    "are meaningful ones, also between two encoded real images."
)
SOURCE = "paper, Sec. 5.3, Fig. 6 and D.5"
CORNERS = 6  # images along the side of the four-corner grid
SLERP, LINE, FADE = METHODS = ("slerp", "straight line", "cross-fade")
RANDOM, ENCODED = ENDS = ("random latents", "encoded images")
NEIGHBOURS_PER_IMAGE = 16  # training images that neighbours are sought among, for each pair's image
Kind = tuple[str, str]  # one of ENDS, one of METHODS


@dataclass(frozen=True)
class Quality:
    """The paths of one kind in feature space."""

    largest_step: float  # in mean steps, mean over pairs
    length: float  # in distances of the ends, mean over pairs
    nearest: np.ndarray  # float64 [pairs,points], distance to the nearest training image
    variety: float  # distance of two paths' middles, as a share of that of two paths' ends

    @property
    def middles(self) -> np.ndarray:
        """The middle's distance to the nearest training image, of every path: [pairs]."""
        return self.nearest[:, self.nearest.shape[1] // 2]

    @property
    def middle(self) -> float:
        """The mean of `middles`, in units of the ends'."""
        return float(self.middles.mean() / self.nearest[:, [0, -1]].mean())


@dataclass(frozen=True)
class InterpolationResult:
    """All kinds of paths, the first of them as images, and the four-corner grid."""

    S: int
    points: int
    num_pairs: int
    quality: Mapping[Kind, Quality]
    images: Mapping[Kind, np.ndarray]  # uint8 [pairs shown,points,C,H,W]
    middle_norm: Mapping[Kind, float]  # of paths of latents, in norms of their ends
    corners: np.ndarray  # uint8 [CORNERS**2,C,H,W]

    def farther(self, ends: str, method: str) -> np.ndarray:
        """How much farther slerp's middle is from real images than `method`'s, by path: [pairs].

        In units of the mean distance of the ends, so that random and encoded ones compare.
        """
        ours, other = self.quality[ends, SLERP], self.quality[ends, method]
        return (ours.middles - other.middles) / ours.nearest[:, [0, -1]].mean()


def measure(context: Context) -> InterpolationResult:
    """Make paths between pairs of latents, random ones and encoded ones, and judge them."""
    context.require_images()
    analysis = context.cfg.analysis
    random = context.noise(PATHS, 2 * (analysis.num_images // 2))
    encoded = context.encode(context.held_out(len(random)), analysis.steps)
    latents = {RANDOM: random, ENCODED: encoded}
    paths = {
        (ends, method): decode_paths(context, x_T, method)
        for ends, x_T in latents.items()
        for method in (SLERP, LINE)
    }
    paths |= {(ends, FADE): cross_fade(paths[ends, SLERP]) for ends in ENDS}
    real = context.features(
        np.array(context.train.images[: analysis.num_images * NEIGHBOURS_PER_IMAGE])
    )
    num_shown = max(1, analysis.num_shown // len(METHODS))
    return InterpolationResult(
        S=analysis.steps,
        points=analysis.interpolate.points,
        num_pairs=len(random) // 2,
        quality={
            (ends, method): _quality(context, paths[ends, method], real)
            for ends in ENDS
            for method in METHODS
        },
        images={kind: images[:num_shown] for kind, images in paths.items()},
        middle_norm={
            (ends, method): middle_norm(x_T, method)
            for ends, x_T in latents.items()
            for method in (SLERP, LINE)
        },
        corners=_corners(context, random[:4]),
    )


def between(x: Tensor, y: Tensor, weight: float, method: str) -> Tensor:
    """Latents [N,...] at `weight` in [0, 1] of the way from x to y, by slerp or straight."""
    return slerp(x, y, weight) if method == SLERP else (1 - weight) * x + weight * y


def decode_paths(context: Context, latents: Tensor, method: str) -> np.ndarray:
    """Images uint8 [pairs,points,C,H,W] from latent 2i to latent 2i + 1."""
    x, y = latents[0::2], latents[1::2]
    weights = torch.linspace(0, 1, context.cfg.analysis.interpolate.points).tolist()
    flat = torch.stack([between(x, y, w, method) for w in weights], dim=1).flatten(0, 1)
    decoded = pixels(context.decode(flat, context.cfg.analysis.steps))
    return decoded.reshape(len(x), len(weights), *decoded.shape[1:])


def cross_fade(paths: np.ndarray) -> np.ndarray:
    """Paths uint8 [pairs,points,C,H,W] with the same ends whose pixels fade from one to the other.

    The control that needs no latents: what an image between two is if it means nothing.
    """
    images = to_float(torch.from_numpy(paths))
    weights = torch.linspace(0, 1, paths.shape[1]).reshape(1, -1, 1, 1, 1)
    return pixels((1 - weights) * images[:, :1] + weights * images[:, -1:])


def middle_norm(latents: Tensor, method: str) -> float:
    """The norm of a path's middle, as a share of its ends' mean norm: the mean over pairs."""
    x, y = latents[0::2].double(), latents[1::2].double()
    ends = (x.flatten(1).norm(dim=1) + y.flatten(1).norm(dim=1)) / 2
    return float((between(x, y, 0.5, method).flatten(1).norm(dim=1) / ends).mean())


def _quality(context: Context, images: np.ndarray, real: np.ndarray) -> Quality:
    """Of images uint8 [pairs,points,C,H,W]; `real`: features [M,D] of training images."""
    flat = context.features(images.reshape(-1, *images.shape[2:])).astype(np.float64)
    features = flat.reshape(*images.shape[:2], -1)
    moves = np.linalg.norm(np.diff(features, axis=1), axis=2)  # [pairs, points - 1]
    apart = np.linalg.norm(features[:, -1] - features[:, 0], axis=1)
    middles = statistics.unrelated_distance(features[:, features.shape[1] // 2])
    ends = [statistics.unrelated_distance(features[:, i]) for i in (0, -1)]
    return Quality(
        largest_step=intervals.of_mean(moves.max(1) / moves.mean(1))[0],
        length=intervals.of_mean(moves.sum(1) / apart)[0],
        nearest=nearest_neighbour(flat, real).reshape(images.shape[:2]),
        variety=middles / float(np.mean(ends)),
    )


def nearest_neighbour(features: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Distance of each feature vector [N,D] to the nearest of `real` [M,D]: [N]."""
    distances = torch.cdist(torch.from_numpy(features), torch.from_numpy(real).double())
    return np.asarray(distances.amin(1).numpy())


def corner_grid(corners: Tensor, side: int) -> Tensor:
    """D.5: latents [side * side,C,H,W] between four corners [4,C,H,W], by slerp of slerps."""
    upper_left, upper_right, lower_left, lower_right = (corner[None] for corner in corners)
    weights = torch.linspace(0, 1, side).tolist()
    rows = []
    for down in weights:
        left = slerp(upper_left, lower_left, down)
        right = slerp(upper_right, lower_right, down)
        rows += [slerp(left, right, across) for across in weights]
    return torch.cat(rows)


def _corners(context: Context, corners: Tensor) -> np.ndarray:
    return pixels(context.decode(corner_grid(corners, CORNERS), context.cfg.analysis.steps))


# --- presentation ---------------------------------------------------------------------------------


def present(result: InterpolationResult) -> SectionContent:
    """The quality of every kind of path, and paths to look at."""
    ours, line, fade = (result.quality[ENCODED, method] for method in METHODS)
    return SectionContent(
        finding=(
            "Between two encoded real images, the middle of slerp's path is "
            f"{ours.middle:.2f} times as far from the nearest training image, in feature space, "
            f"as its ends are; the straight line's {line.middle:.2f}, the cross-fade's "
            f"{fade.middle:.2f} times."
        ),
        text=f"{_on_method(result)}\n\n{_on_line(result)}",
        numbers=_numbers(result),
        verdicts=(_verdict(result),),
        figures=(
            _strips(result, ENCODED),
            _profile(result),
            _strips(result, RANDOM),
            _corners_figure(result.corners),
        ),
        tables=(_table(result), _differences(result)),
    )


def _on_method(result: InterpolationResult) -> str:
    ours, line, fade = (result.quality[ENCODED, method] for method in METHODS)
    return (
        f"S = {result.S}, {result.points} points a path. All paths of a pair have the same ends. "
        "The cross-fade mixes the pixels of the two end images and uses no latents. Between "
        f"encoded images, slerp's path is {ours.length:.1f} times as long as the distance of its "
        f"ends in feature space (straight line {line.length:.1f}, cross-fade {fade.length:.1f}) "
        f"and its largest step is {ours.largest_step:.1f} times its mean one "
        f"({line.largest_step:.1f}, {fade.largest_step:.1f}). An even path has a largest step of "
        "1 mean step, one without detours a length of 1."
    )


def _on_line(result: InterpolationResult) -> str:
    """Where the straight line leaves the shell of normal latents, and what its images become."""
    sentences = []
    for ends in ENDS:
        norm = {method: result.middle_norm[ends, method] for method in (SLERP, LINE)}
        variety = {method: result.quality[ends, method].variety for method in (SLERP, LINE)}
        mean, low, high = intervals.of_mean(result.farther(ends, LINE))
        word = "farther" if low > 0 else "nearer" if high < 0 else "not clearly nearer or farther"
        sentences.append(
            f"Between {ends}, the line's middle has {norm[LINE]:.2f} of the norm of its ends "
            f"(slerp: {norm[SLERP]:.2f}); slerp's middle image is {word} from real ones than the "
            f"line's ({mean:+.2f} distances of the ends, 95 % interval {low:+.2f} to {high:+.2f}). "
            f"In feature space two middles of the line are {variety[LINE]:.2f} times as far apart "
            f"as two ends are (slerp: {variety[SLERP]:.2f})."
        )
    return (
        "A straight line between two latents leaves the shell where normal vectors lie; were its "
        "middles close to one another, it would collapse to few images. " + " ".join(sentences)
    )


def _verdict(result: InterpolationResult) -> Verdict:
    decision = hypotheses.decide(
        [hypotheses.paired(f"{ends}: slerp - fade", result.farther(ends, FADE)) for ends in ENDS]
    )
    shares = [
        f"{result.quality[ends, SLERP].middle:.2f} against {result.quality[ends, FADE].middle:.2f}"
        for ends in ENDS
    ]
    return Verdict(
        claim="The middle of slerp's path is nearer to real images than the cross-fade's middle",
        source=SOURCE,
        paper="",
        ours=f"distance, ends = 1: {shares[1]} (encoded images), {shares[0]} (random latents)",
        test=f"paired paths: {decision.summary}",
        word=decision.word,
    )


def _numbers(result: InterpolationResult) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for (ends, method), quality in result.quality.items():
        key = f"{ends.split()[0]}_{method.split()[0].replace('-', '_')}"
        numbers |= {
            f"{key}_largest": quality.largest_step,
            f"{key}_length": quality.length,
            f"{key}_middle": quality.middle,
            f"{key}_variety": quality.variety,
        }
    for (ends, method), norm in result.middle_norm.items():
        numbers[f"{ends.split()[0]}_{method.split()[0]}_norm"] = norm
    return numbers


def _table(result: InterpolationResult) -> Table:
    columns = ["path", "largest step / mean step", "length / distance of the ends"]
    return table(
        f"Paths in feature space, mean over {result.num_pairs} of them",
        [*columns, "nearest real image: middle / ends", "distance of two paths: middles / ends"],
        [
            (f"{ends}, {method}", q.largest_step, q.length, q.middle, q.variety)
            for (ends, method), q in result.quality.items()
        ],
    )


def _differences(result: InterpolationResult) -> Table:
    return table(
        "How much farther slerp's middle is from real images, in distances of the ends, by path",
        ["slerp less", "difference", "low", "high"],
        [
            (f"{method}, {ends}", *intervals.of_mean(result.farther(ends, method)))
            for ends in ENDS
            for method in (LINE, FADE)
        ],
    )


def _profile(result: InterpolationResult) -> FigureContent:
    positions = [i / (result.points - 1) for i in range(result.points)]
    rows = []
    with canvas.canvas(len(ENDS), width=7.4) as figure:
        for axes, ends in zip(figure.axes, reversed(ENDS), strict=True):
            for i, method in enumerate(METHODS):
                nearest = result.quality[ends, method].nearest
                points = [intervals.of_mean(distances) for distances in nearest.T]
                mean, low, high = (list(column) for column in zip(*points, strict=True))
                canvas.curve(axes, i, positions, mean, method)
                canvas.band(axes, i, positions, low, high)
                rows += [(ends, method, x, *y) for x, y in zip(positions, points, strict=True)]
            axes.set_title(f"between {ends}", size=11)
            axes.set(xlabel="position on the path", ylabel="distance to nearest real image")
        top = max(axes.get_ylim()[1] for axes in figure.axes)
        for axes in figure.axes:
            axes.set_ylim(0, top)
        canvas.legend_above(figure.axes)
    return FigureContent(
        file="nearest_neighbour.png",
        content=figure.png,
        is_chart=True,
        caption="Distance of the images on a path to the nearest training image, in feature "
        "space. Bands: 95 % intervals.",
        alt="Curves of the distance to the nearest training image along the paths, for slerp, "
        "the straight line and the cross-fade; left between encoded images, right between random "
        "latents.",
        columns=["ends", "method", "position", "distance", "low", "high"],
        rows=rows,
    )


def _strips(result: InterpolationResult, ends: str) -> FigureContent:
    kinds = [result.images[ends, method] for method in METHODS]
    pairs = range(len(kinds[0]))
    rows = [images[pair] for pair in pairs for images in kinds]
    names = {0: "one end", result.points // 2: "middle", result.points - 1: "other end"}
    return FigureContent(
        file=f"{ends.split()[0]}.png",
        content=canvas.strips(
            np.stack(rows),
            row_labels=list(METHODS) * len(pairs),
            column_labels=[names.get(i, "") for i in range(result.points)],
            group=len(METHODS),
        ),
        caption=f"Between two {ends}: slerp, below it the straight line between the latents, and "
        "the cross-fade of the pixels.",
        alt="Groups of three rows; in each row the images change from the left end to the right "
        f"one, between {ends}: by slerp, on the straight line, as a cross-fade.",
        columns=["row", "pair", "method"],
        rows=[
            (len(METHODS) * pair + i, pair, method)
            for pair in pairs
            for i, method in enumerate(METHODS)
        ],
    )


def _corners_figure(images: np.ndarray) -> FigureContent:
    weights = torch.linspace(0, 1, CORNERS).tolist()
    return FigureContent(
        file="corners.png",
        content=canvas.strips(
            images.reshape(CORNERS, CORNERS, *images.shape[1:]), row_labels=[""] * CORNERS
        ),
        caption="Four random latents in the corners, slerp of slerps between them (D.5).",
        alt="A square grid of images between those in its four corners.",
        columns=["image", "down", "across"],
        rows=[(i, weights[i // CORNERS], weights[i % CORNERS]) for i in range(CORNERS * CORNERS)],
    )
