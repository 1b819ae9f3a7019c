"""The ODE view (Sec. 4.3): with eta = 0 a sampler is Euler's method, and its error falls with S."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import PATHS, Context
from ddim.analysis.section_content import FigureContent, SectionContent
from ddim.evaluation import hypotheses, intervals
from ddim.plotting import canvas
from ddim.records.verdict import Verdict

TITLE = "The ODE view"
CLAIM = (
    "With σ = 0 a step is Euler's method for an ordinary differential equation: with enough steps "
    "its solution is reached, and fewer steps are a coarser solution of the same equation."
)
SOURCE = "paper, Sec. 4.3, Eq. 13 and 14"


@dataclass(frozen=True)
class OdeResult:
    """Relative distance to the reference solution, for every shorter one, from the same x_T."""

    num_images: int
    T: int
    steps: tuple[int, ...]  # rising, without the longest
    longest: int  # steps of the reference solution
    by_image: np.ndarray  # float64 [steps,num_images]
    first_t: int  # tau_S of the fewest steps

    @property
    def errors(self) -> tuple[float, ...]:
        """Means over images."""
        return tuple(float(error) for error in self.by_image.mean(1))

    @property
    def intervals(self) -> list[tuple[float, float, float]]:
        """Means with their bounds."""
        return [intervals.of_mean(row) for row in self.by_image]

    @property
    def middle_steps(self) -> list[int]:
        """Steps where neither coarseness nor the reference's own error is large."""
        middle = [S for S in self.steps if 10 <= S <= self.longest / 5]
        return middle if len(middle) > 1 else list(self.steps)

    @property
    def order(self) -> float:
        """p of S^-p, the reference solution's own error allowed for."""
        return statistics.order(self.steps, self.errors, self.longest)

    @property
    def plain_slope(self) -> float:
        """p of a straight line on the logarithms over `middle_steps`."""
        at = dict(zip(self.steps, self.errors, strict=True))
        return statistics.order(self.middle_steps, [at[S] for S in self.middle_steps])


def measure(context: Context) -> OdeResult:
    """Solve from the same x_T with every number of steps; the longest is the reference solution."""
    cfg = context.cfg
    *steps, longest = cfg.analysis.ode.steps
    x_T = context.noise(PATHS, cfg.analysis.num_images)
    reference = context.decode(x_T, longest).double().flatten(1)
    size = reference.norm(dim=1)
    rows = []
    for S in steps:
        error = (context.decode(x_T, S).double().flatten(1) - reference).norm(dim=1) / size
        rows.append(error.numpy())
    return OdeResult(
        num_images=len(x_T),
        T=cfg.diffusion.T,
        steps=tuple(steps),
        longest=longest,
        by_image=np.stack(rows),
        first_t=context.tau(steps[0])[-1],
    )


# --- presentation ---------------------------------------------------------------------------------


def present(result: OdeResult) -> SectionContent:
    """The error against S, with the fitted order."""
    steps, errors, middle = result.steps, result.errors, result.middle_steps
    longest, order, slope = result.longest, result.order, result.plain_slope
    return SectionContent(
        finding=(
            f"The error goes as S to the power of −{order:.2f} over S = {steps[0]}..{steps[-1]} "
            f"(Euler's method: −1); at S = {steps[0]} it is {errors[0]:.0%} of the image, "
            f"at S = {steps[-1]} {errors[-1]:.1%}."
        ),
        text=(
            f"Relative distance |x_0(S) - x_0({longest})| / |x_0({longest})| from the same x_T, "
            f"mean over {result.num_images} images. The reference solution has an error of the "
            f"same kind, so the model fitted is 1/S^p - 1/{longest}^p. A straight line on the "
            f"logarithms over S = {middle[0]}..{middle[-1]} has the slope {-slope:.2f}."
            f"{_late_start(result)}"
        ),
        numbers={
            **{f"error_S{S}": error for S, error in zip(steps, errors, strict=True)},
            "order": order,
            "plain_slope": slope,
        },
        verdicts=(_verdict(result),),
        figures=(_figure(result),),
    )


def _verdict(result: OdeResult) -> Verdict:
    """The error falls from each S to the next."""
    pairs = list(pairwise(zip(result.steps, result.by_image, strict=True)))
    decision = hypotheses.decide(
        [hypotheses.paired(f"S = {S}, {more}", e_more - e) for (S, e), (more, e_more) in pairs]
    )
    first, last = result.errors[0], result.errors[-1]
    return Verdict(
        claim="With σ = 0, more steps solve the ODE more closely",
        source=SOURCE,
        paper="",
        ours=f"error {first:.0%} at S = {result.steps[0]}, {last:.1%} at S = {result.steps[-1]}",
        test=f"S by S, paired by x_T: {decision.summary}",
        word=decision.word,
    )


def _late_start(result: OdeResult) -> str:
    """What the error also holds where the trajectory does not begin at T."""
    first, T = result.first_t, result.T
    if first == T:
        return ""
    return (
        f" The spacing begins at τ_S, which is {first} at S = {result.steps[0]} and not "
        f"T = {T}: x_T is taken for a state at τ_S, and what that late start costs is part of "
        "the error."
    )


def _figure(result: OdeResult) -> FigureContent:
    steps, errors, longest, p = result.steps, result.errors, result.longest, result.order
    s = np.geomspace(steps[0], steps[-1], 100)
    shape = np.asarray(steps, dtype=float) ** -p - float(longest) ** -p
    scale = float(np.exp(np.mean(np.log(errors) - np.log(shape))))
    with canvas.canvas(width=7.0, height=4.2) as figure:
        (axes,) = figure.axes
        canvas.curve(axes, 1, steps, errors, "measured")
        _, low, high = (list(column) for column in zip(*result.intervals, strict=True))
        canvas.band(axes, 1, steps, low, high)
        fit = scale * (s**-p - float(longest) ** -p)
        canvas.thin_curve(axes, 0, s, fit, f"fit: order {p:.2f}")
        guide = errors[0] * steps[0] / s
        axes.plot(
            s, guide, color=canvas.GUIDE, linestyle=":", linewidth=1.5, label="Euler: $S^{-1}$"
        )
        canvas.log_y(axes)
        canvas.ticks(axes, steps)
        axes.set(xlabel="number of steps S", ylabel=f"relative distance to S = {longest}")
        canvas.legend_above(figure.axes)
    return FigureContent(
        file="order.png",
        content=figure.png,
        is_chart=True,
        caption=f"Distance to the solution with {longest} steps from the same x_T, relative to it; "
        "logarithmic axes. Band: 95 % interval of the mean.",
        alt=f"A curve on logarithmic axes from {errors[0]:.2g} at S = {steps[0]} to "
        f"{errors[-1]:.2g} at S = {steps[-1]}, with its fit and a line of slope -1.",
        columns=["S", "error", "low", "high"],
        rows=[(S, *row) for S, row in zip(steps, result.intervals, strict=True)],
    )
