"""The ODE view (Sec. 4.3): with eta = 0 a sampler is Euler's method, and its error falls with S."""

from dataclasses import dataclass

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import PATHS, Context
from ddim.analysis.section_content import FigureContent, SectionContent
from ddim.evaluation import intervals
from ddim.plotting import canvas

TITLE = "The ODE view"
CLAIM = (
    "With σ = 0 the sampler follows an ordinary differential equation, "
    "which is why steps can be skipped: fewer of them are a coarser solution of the same thing."
)


@dataclass(frozen=True)
class OdeResult:
    """Relative distance to the reference solution, for every shorter one, from the same x_T."""

    num_images: int
    T: int
    steps: tuple[int, ...]  # rising, without the longest
    longest: int  # steps of the reference solution
    errors: tuple[float, ...]  # means
    intervals: tuple[tuple[float, float, float], ...]  # mean, low, high
    first_t: int  # tau_S of the fewest steps

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
    means, rows = [], []
    for S in steps:
        error = (context.decode(x_T, S).double().flatten(1) - reference).norm(dim=1) / size
        means.append(float(error.mean()))
        rows.append(intervals.of_mean(np.asarray(error)))
    return OdeResult(
        num_images=len(x_T),
        T=cfg.diffusion.T,
        steps=tuple(steps),
        longest=longest,
        errors=tuple(means),
        intervals=tuple(rows),
        first_t=context.tau(steps[0])[-1],
    )


# --- presentation ---------------------------------------------------------------------------------


def present(result: OdeResult) -> SectionContent:
    """The error against S, with the fitted order."""
    steps, errors, middle = result.steps, result.errors, result.middle_steps
    longest, order, slope = result.longest, result.order, result.plain_slope
    return SectionContent(
        finding=(
            f"The error falls as S^-{order:.2f} over S = {steps[0]}..{steps[-1]} "
            f"(Euler's method: 1); at S = {steps[0]} it is {errors[0]:.0%} of the image, "
            f"at S = {steps[-1]} {errors[-1]:.1%}."
        ),
        text=(
            f"Relative distance |x_0(S) - x_0({longest})| / |x_0({longest})| from the same x_T, "
            f"mean over {result.num_images} images. The reference solution has an error of the "
            f"same kind, so the model fitted is S^-p - {longest}^-p. A straight line on the "
            f"logarithms over S = {middle[0]}..{middle[-1]} has the slope {-slope:.2f}."
            f"{_late_start(result)}"
        ),
        numbers={
            **{f"error_S{S}": error for S, error in zip(steps, errors, strict=True)},
            "order": order,
            "plain_slope": slope,
        },
        figures=(_figure(result),),
    )


def _late_start(result: OdeResult) -> str:
    """What the error also holds where the trajectory does not begin at T."""
    first, T = result.first_t, result.T
    if first == T:
        return ""
    return (
        f" The spacing begins at tau_S, which is {first} at S = {result.steps[0]} and not "
        f"T = {T}: x_T is taken for a state at tau_S, and what that late start costs is part of "
        "the error."
    )


def _figure(result: OdeResult) -> FigureContent:
    steps, errors, longest, p = result.steps, result.errors, result.longest, result.order
    s = np.geomspace(steps[0], steps[-1], 100)
    shape = np.asarray(steps, dtype=float) ** -p - float(longest) ** -p
    scale = float(np.exp(np.mean(np.log(errors) - np.log(shape))))
    with canvas.canvas() as figure:
        (axes,) = figure.axes
        canvas.curve(axes, 1, steps, errors, "measured")
        _, low, high = (list(column) for column in zip(*result.intervals, strict=True))
        canvas.band(axes, 1, steps, low, high)
        fit = scale * (s**-p - float(longest) ** -p)
        canvas.thin_curve(axes, 0, s, fit, f"fit, order {p:.2f}")
        guide = errors[0] * steps[0] / s
        axes.plot(s, guide, color=canvas.GUIDE, linestyle=":", linewidth=1, label="slope -1")
        axes.set_yscale("log")
        canvas.ticks(axes, steps)
        axes.set(xlabel="steps S", ylabel=f"relative distance to S = {longest}")
        axes.legend()
    return FigureContent(
        file="order.png",
        content=figure.png,
        caption=f"Error against a solution with {longest} steps, on logarithmic axes.",
        alt="A falling curve on logarithmic axes: "
        + ", ".join(f"{error:.3g} at S = {S}" for S, error in zip(steps, errors, strict=True)),
        columns=["S", "error", "low", "high"],
        rows=[(S, *row) for S, row in zip(steps, result.intervals, strict=True)],
    )
