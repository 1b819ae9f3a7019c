"""Interpolation (Fig. 6, D.5): between latents, between encoded real images, among four corners.

What makes a good path, in numbers, for slerp and for the straight line: that it is even (no jump),
short (no detour), and stays among images (its middle is no stranger than real images are).
"""

import numpy as np
import torch
from torch import Tensor

from ddim.analysis.context import PATHS, Bench, pixels
from ddim.evaluation import intervals
from ddim.plotting import canvas
from ddim.records.section import Section
from ddim.sampler import slerp

CLAIM = (
    "Because x_T determines the image, latents can be interpolated: the images between two "
    "are meaningful ones, also between two encoded real images."
)
CORNERS = 6  # images along the side of the four-corner grid
WAYS = ("slerp", "straight line")


def section(bench: Bench) -> Section:
    """Decode paths between pairs of latents, drawn ones and encoded ones."""
    made = Section("interpolate", 5, "Interpolation", CLAIM)
    analysis = bench.cfg.analysis
    drawn = bench.noise(PATHS, 2 * (analysis.num_images // 2))
    encoded = bench.encode(bench.held_out(len(drawn)), analysis.steps)
    paths = {
        (ends, way): _paths(bench, latents, way)
        for ends, latents in (("drawn latents", drawn), ("encoded images", encoded))
        for way in WAYS
    }
    _quality(bench, paths, (_shrunk(drawn), _shrunk(encoded)), made)
    _strips(bench, paths, made)
    _corners(bench, drawn[:4], made)
    return made


def _paths(bench: Bench, latents: Tensor, way: str) -> np.ndarray:
    """Images uint8 [pairs, points, C, H, W] from latent 2i to latent 2i + 1."""
    x, y = latents[0::2], latents[1::2]
    weights = torch.linspace(0, 1, bench.cfg.analysis.points).tolist()
    between = [slerp(x, y, w) if way == "slerp" else (1 - w) * x + w * y for w in weights]
    flat = torch.stack(between, dim=1).flatten(0, 1)
    decoded = pixels(bench.decode(flat, bench.cfg.analysis.steps))
    return decoded.reshape(len(x), len(weights), *decoded.shape[1:])


def _shrunk(latents: Tensor) -> float:
    """The norm of a straight line's middle, as a share of its ends' norm: the mean over pairs."""
    x, y = latents[0::2].double().flatten(1), latents[1::2].double().flatten(1)
    ends = (x.norm(dim=1) + y.norm(dim=1)) / 2
    return float((((x + y) / 2).norm(dim=1) / ends).mean())


def _quality(
    bench: Bench,
    paths: dict[tuple[str, str], np.ndarray],
    shrunk: tuple[float, float],
    made: Section,
) -> None:
    """Evenness, length and strangeness of every kind of path, in the feature space."""
    real = bench.features(np.array(bench.train.images[: bench.cfg.analysis.num_images * 16]))
    rows, profiles = [], []
    for (ends, way), images in paths.items():
        flat = bench.features(images.reshape(-1, *images.shape[2:])).astype(np.float64)
        found = flat.reshape(*images.shape[:2], -1)
        moves = np.linalg.norm(np.diff(found, axis=1), axis=2)  # [pairs, points - 1]
        apart = np.linalg.norm(found[:, -1] - found[:, 0], axis=1)
        largest = intervals.of_mean(moves.max(1) / moves.mean(1))
        length = intervals.of_mean(moves.sum(1) / apart)
        strange = [float(_nearest(found[:, i], real).mean()) for i in range(found.shape[1])]
        middle = strange[len(strange) // 2] / (0.5 * (strange[0] + strange[-1]))
        rows.append([f"{ends}, {way}", largest[0], length[0], middle])
        profiles += [(ends, way, i / (len(strange) - 1), s) for i, s in enumerate(strange)]
        key = f"{ends.split()[0]}_{way.split()[0]}"
        made.numbers |= {f"{key}_largest": largest[0], f"{key}_length": length[0]}
        made.numbers[f"{key}_middle"] = middle
    columns = ["path", "largest step / mean step", "length / distance", "strangeness of the middle"]
    pairs = len(next(iter(paths.values())))
    made.table(f"Smoothness in feature space, mean over {pairs} paths", columns, rows)
    by_name = {row[0]: row for row in rows}
    ours, line = (by_name[f"encoded images, {way}"] for way in WAYS)
    made.finding = (
        f"Between two encoded real images, slerp's path is {ours[2]:.1f} times as long as the "
        f"distance of its ends in feature space and its largest step {ours[1]:.1f} times the mean "
        f"one ({line[2]:.1f} and {line[1]:.1f} on the straight line); its middle is "
        f"{ours[3]:.2f} times as far from the nearest training image as its ends are "
        f"({line[3]:.2f})."
    )
    made.text = (
        f"S = {bench.cfg.analysis.steps}, {bench.cfg.analysis.points} points a path. A straight "
        "line between two latents leaves the shell where normal vectors lie: its middle has "
        f"{shrunk[0]:.2f} of the norm of its ends between drawn latents, {shrunk[1]:.2f} between "
        "encoded images. Slerp keeps the norm; the table says what the images make of that. An "
        "even path has a largest step of 1 mean step, one without detours a length of 1."
    )
    _profile(profiles, made)


def _nearest(found: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Distance of each feature vector [N,D] to the nearest of `real` [M,D]: [N]."""
    distances = torch.cdist(torch.from_numpy(found), torch.from_numpy(real).double())
    return np.asarray(distances.amin(1).numpy())


def _profile(profiles: list[tuple[str, str, float, float]], made: Section) -> None:
    kinds = list(dict.fromkeys((ends, way) for ends, way, *_ in profiles))
    with canvas.canvas() as drawn:
        (axes,) = drawn.axes
        for i, kind in enumerate(kinds):
            mine = [row for row in profiles if row[:2] == kind]
            x, y = [row[2] for row in mine], [row[3] for row in mine]
            canvas.curve(axes, i, x, y, ", ".join(kind))
        axes.set(xlabel="position on the path", ylabel="distance to the nearest training image")
        axes.set_ylim(bottom=0)
        axes.legend()
    made.figure(
        "strangeness.png",
        drawn.png,
        caption="How far the images on a path are from real ones, in feature space.",
        alt="Curves of the distance to the nearest training image along the paths, for slerp and "
        "the straight line, between drawn latents and between encoded images.",
        columns=["ends", "way", "position", "distance"],
        rows=profiles,
    )


def _strips(bench: Bench, paths: dict[tuple[str, str], np.ndarray], made: Section) -> None:
    shown = max(1, bench.cfg.analysis.num_shown // 2)
    for ends, file in (("drawn latents", "drawn.png"), ("encoded images", "encoded.png")):
        kinds = [paths[ends, way] for way in WAYS]
        pairs = range(min(shown, len(kinds[0])))
        rows = [images[pair] for pair in pairs for images in kinds]
        made.figure(
            file,
            canvas.picture(np.concatenate(rows), len(rows[0]), row_labels=list(WAYS) * len(pairs)),
            caption=f"Between two {ends}: slerp, and below it the straight line.",
            alt=f"Pairs of rows; in each the images change from the left end to the right one, "
            f"between {ends}.",
            columns=["row", "pair", "way"],
            rows=[(2 * pair + i, pair, way) for pair in pairs for i, way in enumerate(WAYS)],
        )


def corner_grid(corners: Tensor, side: int) -> Tensor:
    """D.5: latents [side * side, C, H, W] between four corners [4,C,H,W], by slerp of slerps."""
    upper_left, upper_right, lower_left, lower_right = (corner[None] for corner in corners)
    weights = torch.linspace(0, 1, side).tolist()
    rows = []
    for down in weights:
        left = slerp(upper_left, lower_left, down)
        right = slerp(upper_right, lower_right, down)
        rows += [slerp(left, right, across) for across in weights]
    return torch.cat(rows)


def _corners(bench: Bench, corners: Tensor, made: Section) -> None:
    if len(corners) < 4:
        return
    decoded = pixels(bench.decode(corner_grid(corners, CORNERS), bench.cfg.analysis.steps))
    weights = torch.linspace(0, 1, CORNERS).tolist()
    made.figure(
        "corners.png",
        canvas.picture(decoded, CORNERS),
        caption="Four drawn latents in the corners, slerp of slerps between them (D.5).",
        alt="A square grid of images between those in its four corners.",
        columns=["image", "down", "across"],
        rows=[(i, weights[i // CORNERS], weights[i % CORNERS]) for i in range(CORNERS * CORNERS)],
    )
