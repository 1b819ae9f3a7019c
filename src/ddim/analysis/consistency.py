"""Consistency (Fig. 5): the same x_T with few and with many steps gives the same image.

Reads the sweep's own images: every cell of a seed starts from the same x_T, so nothing is sampled
again. eta = 1 is there to contrast: same x_T, but noise on the way.
"""

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import Bench
from ddim.evaluation import intervals
from ddim.plotting import canvas
from ddim.records.section import Section

CLAIM = (
    "With σ = 0 the generation is a function of x_T alone, so trajectories of different lengths "
    "that start from the same x_T lead to the same image."
)
ETAS = (0.0, 1.0)


def section(bench: Bench) -> Section:
    """Compare every S of the sweep with the longest one."""
    made = Section("consistency", 3, "One latent, one image, however many steps", CLAIM)
    steps = sorted(bench.cfg.sweep.steps)
    etas = [eta for eta in ETAS if eta in bench.cfg.sweep.eta]
    if 0.0 not in etas or len(steps) < 2:
        made.finding = "Not measured here: it needs eta 0.0 and two numbers of steps in `sweep`."
        return made
    images = {(eta, S): bench.cell_images(S, eta) for eta in etas for S in steps}
    distances = {eta: _distances(bench, [images[eta, S] for S in steps]) for eta in etas}
    rows = [
        [eta, S, *pixel, *feature]
        for eta in etas
        for S, (pixel, feature) in zip(steps, distances[eta], strict=True)
    ]
    _curves(steps, etas, rows, made)
    _grid(bench, steps, etas, images, made)
    _say(steps, etas, rows, len(images[0.0, steps[0]]), made)
    return made


Interval = tuple[float, float, float]


def _distances(bench: Bench, rows: list[np.ndarray]) -> list[tuple[Interval, Interval]]:
    """Of each S to the last one: (pixel, feature) distance, 1 being that of unrelated images."""
    spaces = [
        [images.reshape(len(images), -1).astype(np.float64) for images in rows],
        [bench.features(images).astype(np.float64) for images in rows],
    ]
    found = []
    for space in spaces:
        last = space[-1]
        unrelated = statistics.unrelated_distance(last)
        found.append(
            [intervals.of_mean(np.linalg.norm(here - last, axis=1) / unrelated) for here in space]
        )
    return list(zip(*found, strict=True))


def _curves(steps: list[int], etas: list[float], rows: list[list[float]], made: Section) -> None:
    with canvas.canvas(2, width=7.4) as drawn:
        for axes, first, name in zip(drawn.axes, (2, 5), ("pixels", "features"), strict=True):
            for i, eta in enumerate(etas):
                mine = [row for row in rows if row[0] == eta and row[1] != steps[-1]]
                canvas.curve(axes, i, steps[:-1], [row[first] for row in mine], f"η = {eta:g}")
                low, high = ([row[first + k] for row in mine] for k in (1, 2))
                canvas.band(axes, i, steps[:-1], low, high)
            axes.axhline(1, color="#6b6b6b", linewidth=1, linestyle=":")
            axes.set(xlabel="steps S", ylabel=f"distance to S = {steps[-1]}", title=name)
            axes.set_ylim(bottom=0)
            canvas.ticks(axes, steps[:-1])
        drawn.axes[0].legend()
    columns = ["eta", "S", "pixel", "pixel_low", "pixel_high"]
    made.figure(
        "distances.png",
        drawn.png,
        caption=f"Distance to the image with S = {steps[-1]} from the same x_T; 1 (dotted) is the "
        "distance of two unrelated images. Bands: 95 % intervals of the mean.",
        alt="Two panels, pixel and feature distance against the number of steps, "
        + "; ".join(f"η = {row[0]:g}, S = {row[1]}: {row[2]:.2f}, {row[5]:.2f}" for row in rows),
        columns=[*columns, "feature", "feature_low", "feature_high"],
        rows=rows,
    )


def _grid(
    bench: Bench,
    steps: list[int],
    etas: list[float],
    images: dict[tuple[float, int], np.ndarray],
    made: Section,
) -> None:
    shown = min(bench.cfg.analysis.num_shown, len(images[0.0, steps[0]]))
    rows = [(eta, S) for eta in etas for S in steps]
    made.figure(
        "same_latent.png",
        canvas.picture(
            np.concatenate([images[row][:shown] for row in rows]),
            shown,
            row_labels=[f"η = {eta:g}, S = {S}" for eta, S in rows],
        ),
        caption="One column, one x_T.",
        alt="A grid of images, a row for each η and S, a column for each x_T; how alike the rows "
        "are is measured in the other figure.",
        columns=["row", "eta", "S"],
        rows=[(i, *row) for i, row in enumerate(rows)],
    )


def _say(
    steps: list[int], etas: list[float], rows: list[list[float]], n: int, made: Section
) -> None:
    at = {(row[0], row[1]): row for row in rows}
    for eta in etas:
        for S in steps[:-1]:
            made.numbers[f"pixel_eta{eta:g}_S{S}"] = at[eta, S][2]
            made.numbers[f"feature_eta{eta:g}_S{S}"] = at[eta, S][5]
    middle = steps[-2]
    made.finding = (
        f"From the same x_T, the images with S = {middle} and S = {steps[-1]} differ by "
        f"{at[0.0, middle][5]:.0%} of the feature distance of unrelated images at η = 0"
        + (f", and by {at[1.0, middle][5]:.0%} at η = 1." if 1.0 in etas else ".")
    )
    made.text = f"Mean over {n} images of the sweep, the first of each cell, none left out."
