"""The denoising path: x_t and x0_hat along the trajectory, as a grid and as an animation."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from ddim import sampler
from ddim.analysis.context import PATHS, Bench, pixels
from ddim.evaluation import intervals
from ddim.images import squared_errors
from ddim.plotting import canvas, grids
from ddim.records.section import Section

CLAIM = (
    "Each step predicts x_0 from x_t and takes the direction to x_{t-1} from it; "
    "the prediction sharpens on the way from noise to image."
)
COLUMNS = 9  # of the grid
SETTLED = 0.1  # of the squared difference of two images: when x0_hat is called settled
FRAME = 64  # pixels that the side of one animated image takes, at least


def section(bench: Bench) -> Section:
    """Walk once with analysis.steps steps and look at every state."""
    made = Section("path", 4, "The denoising path", CLAIM)
    analysis = bench.cfg.analysis
    S, n = analysis.steps, max(analysis.num_images, analysis.num_shown)
    states = _walk(bench, S, n)
    _errors(bench, states, n, made)
    _grid(states, min(3, bench.cfg.analysis.num_shown), made)
    _animation(states, bench.cfg.analysis.num_shown, made)
    return made


def _walk(bench: Bench, S: int, n: int) -> list[sampler.State]:
    """All states from tau_S to 0 of n images, on the CPU."""
    x_T = bench.noise(PATHS, n).to(bench.device)
    walk = sampler.sample_progressive(bench.eps_model, x_T, bench.alpha_bar, bench.tau(S))
    return [
        sampler.State(s.t, s.x.cpu(), None if s.x0_hat is None else s.x0_hat.cpu()) for s in walk
    ]


def _predictions(states: Sequence[sampler.State]) -> list[tuple[int, torch.Tensor, torch.Tensor]]:
    """(t, x_t, x0_hat from x_t): a state's x0_hat was predicted from the state before it."""
    found = []
    for here, following in pairwise(states):
        assert following.x0_hat is not None
        found.append((here.t, here.x, following.x0_hat))
    return found


def _errors(bench: Bench, states: Sequence[sampler.State], n: int, made: Section) -> None:
    """How near x0_hat is to the image that comes out, step by step."""
    x_0 = states[-1].x
    unrelated = float(squared_errors(x_0, x_0.roll(1, dims=0)).mean())
    rows = []
    for t, _, x0_hat in _predictions(states):
        mean, low, high = intervals.of_mean(squared_errors(x0_hat, x_0) / unrelated)
        rows.append([t, mean, max(low, 0.0), high])
    root = float(bench.alpha_bar[states[0].t]) ** 0.5
    settled = next((t for t, mean, *_ in rows if mean <= SETTLED), rows[-1][0])
    share = sum(t > settled for t, *_ in rows) / len(rows)
    made.numbers |= {"error_at_start": rows[0][1], "settled_at_t": float(settled)}
    made.finding = (
        f"From t = {settled} on, after {share:.0%} of the steps, the prediction is nearer to the "
        f"final image than {SETTLED:.0%} of what separates two images."
    )
    made.text = (
        f"η = 0, S = {len(rows)}, mean over {n} images. At t = {rows[0][0]}, x0_hat "
        f"divides by √a = {root:.2g} and so magnifies the network's error {1 / root:.3g} times."
    )
    with canvas.canvas() as drawn:
        (axes,) = drawn.axes
        times, means, lows, highs = (list(column) for column in zip(*rows, strict=True))
        canvas.thin_curve(axes, 1, times, means, "x0_hat")
        canvas.band(axes, 1, times, lows, highs)
        axes.invert_xaxis()
        axes.set(xlabel="t, from noise to image", ylabel="squared error of x0_hat", yscale="log")
    made.figure(
        "prediction.png",
        drawn.png,
        caption="Squared error of the prediction x0_hat to the final image, 1 being that of two "
        "unrelated images. Band: 95 % interval.",
        alt=f"A curve from {rows[0][1]:.3g} at t = {rows[0][0]} to {rows[-1][1]:.3g} at "
        f"t = {rows[-1][0]}.",
        columns=["t", "error", "low", "high"],
        rows=rows,
    )


def _grid(states: Sequence[sampler.State], shown: int, made: Section) -> None:
    every = _predictions(states)
    chosen = [every[round(i)] for i in np.linspace(0, len(every) - 1, COLUMNS)]
    rows, labels = [], []
    for image in range(shown):
        rows += [x[image] for _, x, _ in chosen] + [x0_hat[image] for _, _, x0_hat in chosen]
        labels += ["x_t", "x0_hat"]
    made.figure(
        "grid.png",
        canvas.picture(
            pixels(torch.stack(rows)),
            len(chosen),
            row_labels=labels,
            column_labels=[str(t) for t, _, _ in chosen],
        ),
        caption="The state x_t and, below it, the prediction x0_hat made from it; t above.",
        alt=f"{shown} pairs of rows from left (t = {chosen[0][0]}) to right (t = {chosen[-1][0]}): "
        "in each, the state x_t above and the prediction x0_hat made from it below.",
        columns=["column", "t"],
        rows=[(i, t) for i, (t, _, _) in enumerate(chosen)],
    )


def _animation(states: Sequence[sampler.State], shown: int, made: Section) -> None:
    """x_t above x0_hat, at most about 50 frames and a still end."""
    every = _predictions(states)
    chosen = every[:: max(1, len(every) // 50)]
    last = states[-1].x[:shown]
    pairs = [(x[:shown], x0_hat[:shown]) for _, x, x0_hat in chosen] + [(last, last)] * 10
    scale = max(1, -(-FRAME // last.shape[-1]))
    frames = [grids.grid(pixels(torch.cat(pair)), shown, scale=scale) for pair in pairs]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "path.png"
        grids.save_animation(path, frames, 80)
        content = path.read_bytes()
    made.figure(
        "path.png",
        content,
        caption="Animated: x_t above, x0_hat below.",
        alt="Animation of two rows of images: the states x_t from noise on above, the predictions "
        "of the final images below.",
        columns=["frame", "t"],
        rows=[(i, t) for i, (t, _, _) in enumerate(chosen)],
    )
