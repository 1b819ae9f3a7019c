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
from ddim.evaluation import hypotheses, intervals
from ddim.evaluation.reconstruction import squared_errors
from ddim.plotting import canvas, grids
from ddim.records.verdict import Verdict

TITLE = "The denoising path"
CLAIM = (
    "Each step predicts x_0 from x_t and takes the direction to x_{t-1} from it; "
    "the prediction sharpens on the way from noise to image."
)
SOURCE = "lecture (31:37); paper, Eq. 9 and 12"
COLUMNS = 9  # of the grid
GRID_ROWS = 3  # images of the grid, at most
SETTLED_THRESHOLD = 0.25  # of the distance of two images: when x0_hat is called settled
QUARTERS = 4  # parts of the trajectory that are compared
MIN_SIDE = 64  # pixels that the side of one animated image takes, at least
NUM_FRAMES = 50  # about
FRAMES_AT_END, MILLISECONDS = 10, 80


@dataclass(frozen=True)
class PathResult:
    """Every step of a trajectory: t, the first images, and how far the prediction is off."""

    a: float  # alpha_bar at the first t
    times: tuple[int, ...]  # falling
    # float64 [steps,N]: root mean squared difference of x0_hat at each t to the final image, in
    # units of that of two unrelated final images.
    distances: np.ndarray
    states: np.ndarray  # x_t, uint8 [steps,num_shown,C,H,W]
    predictions: np.ndarray  # x0_hat from x_t, uint8 [steps,num_shown,C,H,W]
    final: np.ndarray  # x_0, uint8 [num_shown,C,H,W]

    @property
    def means(self) -> list[tuple[float, float, float]]:
        """Mean over images, low and high of the distance at each t."""
        estimates = [intervals.of_mean(distances) for distances in self.distances]
        return [(mean, max(low, 0.0), high) for mean, low, high in estimates]

    @property
    def settled_t(self) -> int:
        """The first t from which on every mean distance is below the threshold.

        There is one: the last prediction is the final image.
        """
        settled = self.times[-1]
        for t, (mean, *_) in zip(reversed(self.times), reversed(self.means), strict=True):
            if mean > SETTLED_THRESHOLD:
                break
            settled = t
        return settled

    @property
    def quarters(self) -> np.ndarray | None:
        """Each image's mean distance in each quarter of the steps, [QUARTERS,N].

        None where a quarter would have no step.
        """
        if len(self.times) < QUARTERS:
            return None
        return np.stack([part.mean(0) for part in np.array_split(self.distances, QUARTERS)])


def measure(context: Context) -> PathResult:
    """Sample once with analysis.steps steps and look at every state."""
    context.require_images()
    analysis = context.cfg.analysis
    n, num_shown = max(analysis.num_images, analysis.num_shown), analysis.num_shown
    states = _states(context, n)
    x_0 = states[-1].x
    unrelated = float(_distances(x_0, x_0.roll(1, dims=0)).mean())
    times, distances, before, predicted = [], [], [], []
    for state, following in pairwise(states):  # x0_hat was predicted from the state before
        assert following.x0_hat is not None
        times.append(state.t)
        distances.append(_distances(following.x0_hat, x_0) / unrelated)
        before.append(pixels(state.x[:num_shown]))
        predicted.append(pixels(following.x0_hat[:num_shown]))
    return PathResult(
        a=float(context.alpha_bar[times[0]]),
        times=tuple(times),
        distances=np.stack(distances),
        states=np.stack(before),
        predictions=np.stack(predicted),
        final=pixels(x_0[:num_shown]),
    )


def _distances(x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    """Root mean squared difference of each pair of images, [N]."""
    return np.sqrt(squared_errors(x, y))


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
    """The grid, the prediction's distance against t, the animation."""
    times, settled, means = result.times, result.settled_t, result.means
    share = sum(t > settled for t in times) / len(times)
    root = result.a**0.5
    return SectionContent(
        finding=(
            "The distance of the prediction to the final image, 1 being that of two unrelated "
            f"images, is {means[0][0]:.2f} at t = {times[0]}; from t = {settled} on, after "
            f"{share:.0%} of the steps, it stays below {SETTLED_THRESHOLD:g}."
        ),
        text=(
            f"η = 0, S = {len(times)}, mean over {result.distances.shape[1]} images. A distance "
            "is the root of the mean squared difference of the pixels, in units of the distance "
            f"of two unrelated final images. At t = {times[0]}, x̂₀ divides by √a = {root:.2g} "
            f"and so magnifies the network's error {1 / root:.3g} times."
        ),
        numbers={"distance_at_start": means[0][0], "settled_at_t": float(settled)},
        verdicts=_verdicts(result),
        figures=(_grid(result), _curve(result), _animation(result)),
    )


def _verdicts(result: PathResult) -> tuple[Verdict, ...]:
    """Whether the prediction comes nearer from quarter to quarter; none with too few steps."""
    quarters = result.quarters
    if quarters is None:
        return ()
    decision = hypotheses.decide(
        [
            hypotheses.paired(f"quarter {i + 2} against quarter {i + 1}", later - earlier)
            for i, (earlier, later) in enumerate(pairwise(quarters))
        ]
    )
    means = ", ".join(f"{mean:.2f}" for mean in quarters.mean(1))
    verdict = Verdict(
        claim="The prediction of x_0 comes nearer to the final image on the way from noise",
        source=SOURCE,
        paper="",
        ours=f"distance to the final image by quarter of the steps: {means}",
        test=f"paired quarters: {decision.summary}",
        word=decision.word,
    )
    return (verdict,)


def _curve(result: PathResult) -> FigureContent:
    means, lows, highs = (list(column) for column in zip(*result.means, strict=True))
    times = result.times
    with canvas.canvas() as figure:
        (axes,) = figure.axes
        canvas.thin_curve(axes, 0, times, means, "prediction")
        canvas.band(axes, 0, times, lows, highs)
        for y, name in ((1.0, "two unrelated images"), (SETTLED_THRESHOLD, "settled")):
            canvas.level(axes, y)
            axes.annotate(
                f"{y:g}: {name}", (0, y), (0, 4), textcoords="offset points", ha="right", size=11
            )
        axes.invert_xaxis()
        axes.set(xlabel="step t, from noise to image", ylabel="distance to the final image")
        axes.set_ylim(bottom=0)
    return FigureContent(
        file="prediction.png",
        content=figure.png,
        is_chart=True,
        caption="Distance of the prediction x̂₀ to the final image, 1 being that of two "
        "unrelated images. Band: 95 % interval.",
        alt=f"A curve from {means[0]:.2g} at t = {times[0]} to {means[-1]:.2g} at t = {times[-1]}.",
        columns=["t", "distance", "low", "high"],
        rows=[(t, *mean) for t, mean in zip(times, result.means, strict=True)],
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
        content=canvas.strips(
            np.stack(rows),
            row_labels=["state $x_t$", r"prediction $\hat{x}_0$"] * num_images,
            column_labels=[f"t = {t}" for t in times],
            group=2,
        ),
        caption="From noise (left) to image (right): the state x_t and, below it, the prediction "
        "x̂₀ made from it.",
        alt=f"{num_images} pairs of rows from left (t = {times[0]}) to right (t = {times[-1]}): "
        "in each, the state x_t above and the prediction x̂₀ made from it below.",
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
        caption="Animated: x_t above, x̂₀ below.",
        alt="Animation of two rows of images: the states x_t from noise on above, the predictions "
        "of the final images below.",
        columns=["frame", "t"],
        rows=list(enumerate(result.times[::every])),
    )
