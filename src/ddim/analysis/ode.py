"""The ODE view (Sec. 4.3): with eta = 0 a sampler is Euler's method, and its error falls with S."""

import numpy as np

from ddim.analysis import statistics
from ddim.analysis.context import PATHS, Bench
from ddim.evaluation import intervals
from ddim.plotting import canvas
from ddim.records.section import Section

CLAIM = (
    "With σ = 0 the sampler follows an ordinary differential equation, "
    "which is why steps can be skipped: fewer of them are a coarser solution of the same thing."
)


def section(bench: Bench) -> Section:
    """Solve from the same x_T with every number of steps; the last one is the yardstick."""
    made = Section("ode", 8, "The ODE view", CLAIM)
    *steps, longest = bench.cfg.analysis.ode_steps
    x_T = bench.noise(PATHS, bench.cfg.analysis.num_images)
    yardstick = bench.decode(x_T, longest).double().flatten(1)
    size = yardstick.norm(dim=1)
    rows, means = [], []
    for S in steps:
        error = (bench.decode(x_T, S).double().flatten(1) - yardstick).norm(dim=1) / size
        rows.append([S, *intervals.of_mean(np.asarray(error))])
        means.append(float(error.mean()))
    near = [S for S in steps if 10 <= S <= longest / 5]
    near = near if len(near) > 1 else steps
    fitted = statistics.order(steps, means, longest)
    plain = statistics.order(near, [means[steps.index(S)] for S in near])
    _figure(steps, means, longest, fitted, rows, made)
    made.numbers |= {f"error_S{S}": mean for S, mean in zip(steps, means, strict=True)}
    made.numbers |= {"order": fitted, "plain_slope": plain}
    made.finding = (
        f"The error falls as S^-{fitted:.2f} over S = {steps[0]}..{steps[-1]} "
        f"(Euler's method: 1); at S = {steps[0]} it is {means[0]:.0%} of the image, "
        f"at S = {steps[-1]} {means[-1]:.1%}."
    )
    made.text = (
        f"Relative distance |x_0(S) - x_0({longest})| / |x_0({longest})| from the same x_T, mean "
        f"over {len(x_T)} images. The yardstick has an error of the same kind, so the model "
        f"fitted is S^-p - {longest}^-p. A straight line on the logarithms over "
        f"S = {near[0]}..{near[-1]} has the slope {-plain:.2f}."
    )
    made.text += _late_start(bench, steps[0])
    return made


def _late_start(bench: Bench, S: int) -> str:
    """What the error also holds where the trajectory does not begin at T."""
    T, first = bench.cfg.diffusion.T, bench.tau(S)[-1]
    if first == T:
        return ""
    return (
        f" The spacing begins at tau_S, which is {first} at S = {S} and not T = {T}: x_T is taken "
        "for a state at tau_S, and what that late start costs is part of the error."
    )


def _figure(
    steps: list[int],
    errors: list[float],
    longest: int,
    p: float,
    rows: list[list[float]],
    made: Section,
) -> None:
    s = np.geomspace(steps[0], steps[-1], 100)
    shape = np.asarray(steps, dtype=float) ** -p - float(longest) ** -p
    scale = float(np.exp(np.mean(np.log(errors) - np.log(shape))))
    with canvas.canvas() as drawn:
        (axes,) = drawn.axes
        canvas.curve(axes, 1, steps, errors, "measured")
        canvas.band(axes, 1, steps, [row[2] for row in rows], [row[3] for row in rows])
        fit = scale * (s**-p - float(longest) ** -p)
        canvas.thin_curve(axes, 0, s, fit, f"fit, order {p:.2f}")
        guide = errors[0] * steps[0] / s
        axes.plot(s, guide, color="#6b6b6b", linestyle=":", linewidth=1, label="slope -1")
        axes.set_yscale("log")
        canvas.ticks(axes, steps)
        axes.set(xlabel="steps S", ylabel=f"relative distance to S = {longest}")
        axes.legend()
    made.figure(
        "order.png",
        drawn.png,
        caption=f"Error against a solution with {longest} steps, on logarithmic axes.",
        alt="A falling curve on logarithmic axes: "
        + ", ".join(f"{error:.3g} at S = {S}" for S, error in zip(steps, errors, strict=True)),
        columns=["S", "error", "low", "high"],
        rows=rows,
    )
