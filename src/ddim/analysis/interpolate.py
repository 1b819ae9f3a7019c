"""Interpolation (Fig. 6, D.5): between latents, between encoded real images, among four corners.

What makes a good path, in numbers, for slerp and for the straight line: that it is even (no jump),
short (no detour), and stays among images (its middle is no farther from them than its ends).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ddim.analysis.context import PATHS, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent, table
from ddim.evaluation import intervals
from ddim.plotting import canvas
from ddim.records.section import Table
from ddim.sampler import slerp

TITLE = "Interpolation"
CLAIM = (
    "Because x_T determines the image, latents can be interpolated: the images between two "
    "are meaningful ones, also between two encoded real images."
)
CORNERS = 6  # images along the side of the four-corner grid
SLERP, LINE = METHODS = ("slerp", "straight line")
RANDOM, ENCODED = ENDS = ("random latents", "encoded images")
NEIGHBOURS_PER_IMAGE = 16  # training images that neighbours are sought among, for each pair's image
Kind = tuple[str, str]  # one of ENDS, one of METHODS


@dataclass(frozen=True)
class Quality:
    """The paths of one kind in feature space, means over pairs."""

    largest_step: float  # in mean steps
    length: float  # in distances of the ends
    nearest: tuple[float, ...]  # distance to the nearest training image, point by point

    @property
    def middle(self) -> float:
        """The middle's distance to the nearest training image, in units of the ends'."""
        ends = 0.5 * (self.nearest[0] + self.nearest[-1])
        return self.nearest[len(self.nearest) // 2] / ends


@dataclass(frozen=True)
class InterpolationResult:
    """All kinds of paths, the first of them as images, and the four-corner grid."""

    S: int
    points: int
    num_pairs: int
    quality: Mapping[Kind, Quality]
    images: Mapping[Kind, np.ndarray]  # uint8 [pairs shown,points,C,H,W]
    middle_norm: Mapping[str, float]  # of straight lines, in norms of their ends, by ENDS
    corners: np.ndarray  # uint8 [CORNERS**2,C,H,W]


def measure(context: Context) -> InterpolationResult:
    """Decode paths between pairs of latents, random ones and encoded ones."""
    context.require_images()
    analysis = context.cfg.analysis
    random = context.noise(PATHS, 2 * (analysis.num_images // 2))
    encoded = context.encode(context.held_out(len(random)), analysis.steps)
    latents = {RANDOM: random, ENCODED: encoded}
    paths = {
        (ends, method): decode_paths(context, x_T, method)
        for ends, x_T in latents.items()
        for method in METHODS
    }
    real = context.features(
        np.array(context.train.images[: analysis.num_images * NEIGHBOURS_PER_IMAGE])
    )
    quality = {kind: _quality(context, images, real) for kind, images in paths.items()}
    num_shown = max(1, analysis.num_shown // 2)
    return InterpolationResult(
        S=analysis.steps,
        points=analysis.interpolate.points,
        num_pairs=len(random) // 2,
        quality=quality,
        images={kind: images[:num_shown] for kind, images in paths.items()},
        middle_norm={ends: _middle_norm(x_T) for ends, x_T in latents.items()},
        corners=_corners(context, random[:4]),
    )


def decode_paths(context: Context, latents: Tensor, method: str) -> np.ndarray:
    """Images uint8 [pairs,points,C,H,W] from latent 2i to latent 2i + 1."""
    x, y = latents[0::2], latents[1::2]
    weights = torch.linspace(0, 1, context.cfg.analysis.interpolate.points).tolist()
    between = [slerp(x, y, w) if method == SLERP else (1 - w) * x + w * y for w in weights]
    flat = torch.stack(between, dim=1).flatten(0, 1)
    decoded = pixels(context.decode(flat, context.cfg.analysis.steps))
    return decoded.reshape(len(x), len(weights), *decoded.shape[1:])


def _middle_norm(latents: Tensor) -> float:
    """The norm of a straight line's middle, as a share of its ends' norm: the mean over pairs."""
    x, y = latents[0::2].double().flatten(1), latents[1::2].double().flatten(1)
    ends = (x.norm(dim=1) + y.norm(dim=1)) / 2
    return float((((x + y) / 2).norm(dim=1) / ends).mean())


def _quality(context: Context, images: np.ndarray, real: np.ndarray) -> Quality:
    """Of images uint8 [pairs,points,C,H,W]; `real`: features [M,D] of training images."""
    flat = context.features(images.reshape(-1, *images.shape[2:])).astype(np.float64)
    features = flat.reshape(*images.shape[:2], -1)
    moves = np.linalg.norm(np.diff(features, axis=1), axis=2)  # [pairs, points - 1]
    apart = np.linalg.norm(features[:, -1] - features[:, 0], axis=1)
    nearest = (nearest_neighbour(features[:, i], real).mean() for i in range(features.shape[1]))
    return Quality(
        largest_step=intervals.of_mean(moves.max(1) / moves.mean(1))[0],
        length=intervals.of_mean(moves.sum(1) / apart)[0],
        nearest=tuple(map(float, nearest)),
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
    ours, line = (result.quality[ENCODED, method] for method in METHODS)
    norm = result.middle_norm
    return SectionContent(
        finding=(
            f"Between two encoded real images, slerp's path is {ours.length:.1f} times as long as "
            f"the distance of its ends in feature space and its largest step "
            f"{ours.largest_step:.1f} times the mean one ({line.length:.1f} and "
            f"{line.largest_step:.1f} on the straight line); its middle is {ours.middle:.2f} times "
            f"as far from the nearest training image as its ends are ({line.middle:.2f})."
        ),
        text=(
            f"S = {result.S}, {result.points} points a path. A straight line between two "
            "latents leaves the shell where normal vectors lie: its middle has "
            f"{norm[RANDOM]:.2f} of the norm of its ends between random latents, "
            f"{norm[ENCODED]:.2f} between encoded images. Slerp keeps the norm; the table says "
            "what the images make of that. An even path has a largest step of 1 mean step, one "
            "without detours a length of 1."
        ),
        numbers=_numbers(result),
        figures=(
            _profile(result),
            *(_strips(result, ends) for ends in ENDS),
            _corners_figure(result.corners),
        ),
        tables=(_table(result),),
    )


def _numbers(result: InterpolationResult) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for (ends, method), quality in result.quality.items():
        key = f"{ends.split()[0]}_{method.split()[0]}"
        numbers |= {
            f"{key}_largest": quality.largest_step,
            f"{key}_length": quality.length,
            f"{key}_middle": quality.middle,
        }
    return numbers


def _table(result: InterpolationResult) -> Table:
    columns = ["path", "largest step / mean step", "length / distance"]
    return table(
        f"Smoothness in feature space, mean over {result.num_pairs} paths",
        [*columns, "nearest-neighbour distance of the middle / of the ends"],
        [
            (f"{ends}, {method}", quality.largest_step, quality.length, quality.middle)
            for (ends, method), quality in result.quality.items()
        ],
    )


def _profile(result: InterpolationResult) -> FigureContent:
    positions = [i / (result.points - 1) for i in range(result.points)]
    with canvas.canvas() as figure:
        (axes,) = figure.axes
        for i, (kind, quality) in enumerate(result.quality.items()):
            canvas.curve(axes, i, positions, quality.nearest, ", ".join(kind))
        axes.set(xlabel="position on the path", ylabel="distance to the nearest training image")
        axes.set_ylim(bottom=0)
        axes.legend()
    return FigureContent(
        file="nearest_neighbour.png",
        content=figure.png,
        caption="How far the images on a path are from real ones, in feature space.",
        alt="Curves of the distance to the nearest training image along the paths, for slerp and "
        "the straight line, between random latents and between encoded images.",
        columns=["ends", "method", "position", "distance"],
        rows=[
            (*kind, position, distance)
            for kind, quality in result.quality.items()
            for position, distance in zip(positions, quality.nearest, strict=True)
        ],
    )


def _strips(result: InterpolationResult, ends: str) -> FigureContent:
    kinds = [result.images[ends, method] for method in METHODS]
    pairs = range(len(kinds[0]))
    rows = [images[pair] for pair in pairs for images in kinds]
    return FigureContent(
        file=f"{ends.split()[0]}.png",
        content=canvas.picture(
            np.concatenate(rows), len(rows[0]), row_labels=list(METHODS) * len(pairs)
        ),
        caption=f"Between two {ends}: slerp, and below it the straight line.",
        alt="Pairs of rows; in each the images change from the left end to the right one, "
        f"between {ends}.",
        columns=["row", "pair", "method"],
        rows=[(2 * pair + i, pair, method) for pair in pairs for i, method in enumerate(METHODS)],
    )


def _corners_figure(images: np.ndarray) -> FigureContent:
    weights = torch.linspace(0, 1, CORNERS).tolist()
    return FigureContent(
        file="corners.png",
        content=canvas.picture(images, CORNERS),
        caption="Four random latents in the corners, slerp of slerps between them (D.5).",
        alt="A square grid of images between those in its four corners.",
        columns=["image", "down", "across"],
        rows=[(i, weights[i // CORNERS], weights[i % CORNERS]) for i in range(CORNERS * CORNERS)],
    )
