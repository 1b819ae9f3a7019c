"""The denoising path: x_t and x0_hat along the trajectory, as a grid and as an animation."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from ddim import sampler
from ddim.analysis.context import PATHS, Context, pixels
from ddim.analysis.section_content import FigureContent, SectionContent
from ddim.evaluation import intervals
from ddim.evaluation.reconstruction import squared_errors
from ddim.plotting import canvas, grids

TITLE = "The denoising path"
CLAIM = (
    "Each step predicts x_0 from x_t and takes the direction to x_{t-1} from it; "
    "the prediction sharpens on the way from noise to image."
)
COLUMNS = 9  # of the grid
GRID_ROWS = 3  # images of the grid, at most
SETTLED_THRESHOLD = 0.1  # of the squared difference of two images: when x0_hat is called settled
MIN_SIDE = 64  # pixels that the side of one animated image takes, at least
NUM_FRAMES = 50  # about
FRAMES_AT_END, MILLISECONDS = 10, 80


@dataclass(frozen=True)
class PathResult:
    """Every step of a trajectory: t, the first images, and the error of the prediction."""

    num_images: int
    a: float  # alpha_bar at the first t
    times: tuple[int, ...]  # falling
    errors: tuple[tuple[float, float, float], ...]  # of x0_hat at each t: mean, low, high
    states: np.ndarray  # x_t, uint8 [steps,num_shown,C,H,W]
    predictions: np.ndarray  # x0_hat from x_t, uint8 [steps,num_shown,C,H,W]
    final: np.ndarray  # x_0, uint8 [num_shown,C,H,W]

    @property
    def settled_t(self) -> int:
        """The first t at which the prediction is settled."""
        settled = (
            t
            for t, (mean, *_) in zip(self.times, self.errors, strict=True)
            if mean <= SETTLED_THRESHOLD
        )
        return next(settled, self.times[-1])

    @property
    def rows(self) -> list[tuple[float, ...]]:
        """The lines of the CSV."""
        return [(t, *error) for t, error in zip(self.times, self.errors, strict=True)]


def measure(context: Context) -> PathResult:
    """Sample once with analysis.steps steps and look at every state."""
    context.require_images()
    analysis = context.cfg.analysis
    n, num_shown = max(analysis.num_images, analysis.num_shown), analysis.num_shown
    states = _states(context, n)
    x_0 = states[-1].x
    unrelated = float(squared_errors(x_0, x_0.roll(1, dims=0)).mean())
    times, errors, before, predicted = [], [], [], []
    for state, following in pairwise(states):  # x0_hat was predicted from the state before
        assert following.x0_hat is not None
        mean, low, high = intervals.of_mean(squared_errors(following.x0_hat, x_0) / unrelated)
        times.append(state.t)
        errors.append((mean, max(low, 0.0), high))
        before.append(pixels(state.x[:num_shown]))
        predicted.append(pixels(following.x0_hat[:num_shown]))
    return PathResult(
        num_images=n,
        a=float(context.alpha_bar[times[0]]),
        times=tuple(times),
        errors=tuple(errors),
        states=np.stack(before),
        predictions=np.stack(predicted),
        final=pixels(x_0[:num_shown]),
    )


def _states(context: Context, n: int) -> list[sampler.State]:
    """All states from tau_S to 0 of n images, on the CPU."""
    x_T = context.noise(PATHS, n).to(context.device)
    tau = context.tau(context.cfg.analysis.steps)
    states = sampler.sample_progressive(context.eps_model, x_T, context.alpha_bar, tau)
    return [sampler.State(s.t, s.x.cpu(), _on_cpu(s.x0_hat)) for s in states]


def _on_cpu(x: torch.Tensor | None) -> torch.Tensor | None:
    return None if x is None else x.cpu()


# --- presentation ---------------------------------------------------------------------------------


def present(result: PathResult) -> SectionContent:
    """The prediction's error against t, the grid, the animation."""
    times, settled = result.times, result.settled_t
    share = sum(t > settled for t in times) / len(times)
    root = result.a**0.5
    return SectionContent(
        finding=(
            f"From t = {settled} on, after {share:.0%} of the steps, the prediction is nearer to "
            f"the final image than {SETTLED_THRESHOLD:.0%} of what separates two images."
        ),
        text=(
            f"η = 0, S = {len(times)}, mean over {result.num_images} images. At t = {times[0]}, "
            f"x0_hat divides by √a = {root:.2g} and so magnifies the network's error "
            f"{1 / root:.3g} times."
        ),
        numbers={"error_at_start": result.errors[0][0], "settled_at_t": float(settled)},
        figures=(_errors(result), _grid(result), _animation(result)),
    )


def _errors(result: PathResult) -> FigureContent:
    means, lows, highs = (list(column) for column in zip(*result.errors, strict=True))
    times = result.times
    with canvas.canvas() as figure:
        (axes,) = figure.axes
        canvas.thin_curve(axes, 1, times, means, "x0_hat")
        canvas.band(axes, 1, times, lows, highs)
        axes.invert_xaxis()
        axes.set(xlabel="t, from noise to image", ylabel="squared error of x0_hat", yscale="log")
    return FigureContent(
        file="prediction.png",
        content=figure.png,
        caption="Squared error of the prediction x0_hat to the final image, 1 being that of two "
        "unrelated images. Band: 95 % interval.",
        alt=f"A curve from {means[0]:.3g} at t = {times[0]} to {means[-1]:.3g} at t = {times[-1]}.",
        columns=["t", "error", "low", "high"],
        rows=result.rows,
    )


def _grid(result: PathResult) -> FigureContent:
    chosen = [round(i) for i in np.linspace(0, len(result.times) - 1, COLUMNS)]
    num_images = min(GRID_ROWS, result.states.shape[1])
    rows = []
    for image in range(num_images):
        rows += [result.states[chosen, image], result.predictions[chosen, image]]
    times = [result.times[i] for i in chosen]
    return FigureContent(
        file="grid.png",
        content=canvas.picture(
            np.concatenate(rows),
            len(chosen),
            row_labels=["x_t", "x0_hat"] * num_images,
            column_labels=[str(t) for t in times],
        ),
        caption="The state x_t and, below it, the prediction x0_hat made from it; t above.",
        alt=f"{num_images} pairs of rows from left (t = {times[0]}) to right (t = {times[-1]}): "
        "in each, the state x_t above and the prediction x0_hat made from it below.",
        columns=["column", "t"],
        rows=list(enumerate(times)),
    )


def _animation(result: PathResult) -> FigureContent:
    """x_t above x0_hat, and the final images at the end for a while."""
    every = max(1, len(result.times) // NUM_FRAMES)
    pairs = list(zip(result.states[::every], result.predictions[::every], strict=True))
    pairs += [(result.final, result.final)] * FRAMES_AT_END
    num_shown, side = len(result.final), result.final.shape[-1]
    scale = max(1, -(-MIN_SIDE // side))
    frames = [grids.grid(np.concatenate(pair), num_shown, scale=scale) for pair in pairs]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "path.png"
        grids.save_animation(path, frames, MILLISECONDS)
        content = path.read_bytes()
    return FigureContent(
        file="path.png",
        content=content,
        caption="Animated: x_t above, x0_hat below.",
        alt="Animation of two rows of images: the states x_t from noise on above, the predictions "
        "of the final images below.",
        columns=["frame", "t"],
        rows=list(enumerate(result.times[::every])),
    )
