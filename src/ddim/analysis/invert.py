"""Not invertible against invertible (the lecture's limitation 2 and Case 2).

One image, encoded again and again: by DDPM's forward process, which draws z in
x_T = sqrt(a) x_0 + sqrt(1 - a) z, and by DDIM's, which draws nothing. Then whether the latents of
real images look like noise at all.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ddim.analysis import statistics
from ddim.analysis.context import DRAWS, Bench, pixels
from ddim.evaluation import intervals
from ddim.images import squared_errors
from ddim.plotting import canvas
from ddim.records.section import Rows, Section

DDPM, DDIM = "DDPM", "DDIM"
REAL = 5000  # training images, at most, that say how much a pixel changes
STILL = 0.05  # standard deviation on [0, 1] below which a pixel is called still
CLAIM = (
    "DDPM's forward process gives one image a different latent every time, so it cannot be "
    "inverted; with σ = 0 an image has one latent, and decoding returns the image."
)


def section(bench: Bench) -> Section:
    """Measure and draw; see the module."""
    made = Section("invert", 2, "Not invertible against invertible", CLAIM)
    images = bench.held_out(bench.cfg.analysis.num_images)
    _round_trips(bench, images, made)
    _normality(bench, bench.encode(images, bench.cfg.analysis.steps), made)
    return made


def _round_trips(bench: Bench, images: Tensor, made: Section) -> None:
    """Encode every image `draws` times both ways, decode, compare."""
    S, draws = bench.cfg.analysis.steps, bench.cfg.analysis.draws
    latents = {
        DDPM: torch.stack([diffuse(bench, images, S, seed=DRAWS + k) for k in range(draws)]),
        DDIM: torch.stack([bench.encode(images, S) for _ in range(draws)]),
    }
    decoded = {name: [bench.decode(x_T, S) for x_T in xs] for name, xs in latents.items()}
    rows: list[list[Any]] = []
    for name, xs in latents.items():
        spread = float(xs.double().var(0).mean().sqrt())  # the variance is unbiased, std is not
        widest = float((xs - xs[0]).abs().max())
        errors = np.mean([squared_errors(back, images) for back in decoded[name]], axis=0)
        rows.append([name, spread, widest, *intervals.of_mean(errors)])
    columns = ["encoder", "spread of the latents", "largest difference", "round-trip error"]
    title = f"{draws} encodings of each of {len(images)} held-out images (error: on [0, 1])"
    made.table(title, [*columns, "low", "high"], rows)
    (_, spread, _, lost, *_), (_, same, widest, kept, *_) = rows
    made.numbers |= {
        "ddpm_spread": spread,
        "ddim_spread": same,
        "ddim_largest_difference": widest,
        "ddpm_round_trip": lost,
        "ddim_round_trip": kept,
    }
    made.finding = (
        f"Encoded {draws} times, an image's latents spread by {spread:.2f} per pixel under DDPM "
        f"and by {same:g} under DDIM; there and back costs a squared error of {kept:.2g} "
        f"under DDIM and {lost:.2g} under DDPM."
    )
    a = float(bench.alpha_bar[bench.tau(S)[-1]])
    again = "equal to the last bit" if widest == 0 else f"equal up to {widest:.1g}"
    made.text = (
        f"Both kinds of latents lie at tau_S = {bench.tau(S)[-1]} and are decoded by the same "
        f"deterministic sampler (S = {S}). DDPM's hold the image at √a = {math.sqrt(a):.2g} times "
        f"its size, under fresh noise of {math.sqrt(1 - a):.4f}; DDIM's are {again}: encoding "
        "draws nothing."
    )
    _strip(bench, images, decoded, rows, made)


def _strip(
    bench: Bench, images: Tensor, decoded: dict[str, list[Tensor]], rows: Rows, made: Section
) -> None:
    shown = bench.cfg.analysis.num_shown
    strip, labels = [images[:shown]], ["original"]
    for name, kept in ((DDPM, 3), (DDIM, 2)):  # rows enough to see whether they differ
        strip += [back[:shown] for back in decoded[name][:kept]]
        labels += [f"{name}, {k + 1}" for k in range(len(decoded[name][:kept]))]
    made.figure(
        "round_trip.png",
        canvas.picture(pixels(torch.cat(strip)), len(strip[0]), row_labels=labels),
        caption="Held-out images; below, what comes back from DDPM's latents and from DDIM's.",
        alt="Rows of images: originals; what DDPM's latents decode to (squared error "
        f"{rows[0][3]:.2g}); what DDIM's latents decode to (squared error {rows[1][3]:.2g}).",
        columns=["encoder", "spread", "largest_difference", "error", "low", "high"],
        rows=rows,
    )


def diffuse(bench: Bench, x_0: Tensor, S: int, seed: int) -> Tensor:
    """DDPM's encoding: a draw of q(x_t | x_0) at t = tau_S, from where S steps decode."""
    a = float(bench.alpha_bar[bench.tau(S)[-1]])
    return math.sqrt(a) * x_0 + math.sqrt(1 - a) * bench.noise(seed, len(x_0))


def _normality(bench: Bench, latents: Tensor, made: Section) -> None:
    """Moments of the encoded images, and their norms against the chi distribution."""
    d, n = latents[0].numel(), len(latents)
    found = statistics.moments(latents.numpy())
    norms = latents.double().flatten(1).norm(dim=1).numpy()
    distance, p_value = statistics.kolmogorov_smirnov(statistics.chi_cdf(norms, d))
    drawn = statistics.moments(bench.noise(DRAWS, n).numpy())
    made.table(
        f"Are the latents standard normal? {n} encoded images, {d} numbers each",
        ["", "mean", "variance", "skewness", "excess kurtosis"],
        [["encoded images", *found], ["as many true normal numbers", *drawn]],
    )
    made.numbers |= {
        "latent_mean": found.mean,
        "latent_variance": found.variance,
        "latent_skewness": found.skewness,
        "latent_excess_kurtosis": found.excess_kurtosis,
        "norm_mean": float(norms.mean()),
        "norm_mean_of_chi": math.sqrt(2) * math.exp(math.lgamma((d + 1) / 2) - math.lgamma(d / 2)),
        "norm_ks_distance": distance,
        "norm_ks_p": p_value,
    }
    verdict = "no sign against it" if p_value > 0.05 else "they are not"
    made.text += (
        f"\n\nWere the encoder exact and the network perfect, latents of real images would be "
        f"standard normal and their norms chi-distributed with {d} degrees of freedom. A "
        f"Kolmogorov-Smirnov test of the {n} norms gives a distance of {distance:.3f} "
        f"(p = {p_value:.2g}): {verdict}."
    )
    made.text += _still_pixels(bench, latents, made)
    _norms_figure(latents, norms, d, made)


def _still_pixels(bench: Bench, latents: Tensor, made: Section) -> str:
    """What pixels that hardly ever change do to their latents: no noise in, none out."""
    spread = pixel_spread(np.array(bench.train.images[:REAL]))
    of_latents = latents.std(0).numpy()
    still = spread < STILL
    if not still.any() or still.all():
        return ""
    quiet, lively = float(of_latents[still].mean()), float(of_latents[~still].mean())
    made.numbers |= {"latent_std_still": quiet, "latent_std_others": lively}
    return (
        f" The {still.sum()} of {still.size} values that hardly change from image to image in the "
        f"training set have latents with a standard deviation of {quiet:.2f}; the others' is "
        f"{lively:.2f}."
    ) + (" An invertible map cannot make noise out of a constant." if quiet < lively else "")


def pixel_spread(images: np.ndarray) -> np.ndarray:
    """Standard deviation of every pixel over uint8 images [N,C,H,W], on [0, 1]: [C,H,W]."""
    return np.asarray(images.astype(np.float64).std(0) / 255)


def _norms_figure(latents: Tensor, norms: np.ndarray, d: int, made: Section) -> None:
    r = np.linspace(min(norms.min(), math.sqrt(d) - 3), max(norms.max(), math.sqrt(d) + 3), 200)
    quantiles = np.linspace(0.005, 0.995, 67)
    ours = np.quantile(latents.numpy().ravel(), quantiles)
    normal = torch.special.ndtri(torch.from_numpy(quantiles)).numpy()
    with canvas.canvas(2, width=7.4) as drawn:
        left, right = drawn.axes
        canvas.bars(left, 1, norms, max(8, len(norms) // 6), "encoded images")
        canvas.thin_curve(left, 0, r, statistics.chi_density(r, d), f"chi, {d} degrees")
        left.set(xlabel="norm of x_T", ylabel="density")
        left.legend(loc="upper left", bbox_to_anchor=(0, 1.17), ncols=2)
        canvas.thin_curve(right, 0, normal, normal, "normal")
        right.scatter(normal, ours, s=12, color=canvas.stroke(1).light, label="encoded images")
        right.set(xlabel="quantile of N(0, 1)", ylabel="quantile of the latents")
        right.legend(loc="lower right")
    made.figure(
        "latents.png",
        drawn.png,
        caption="Latents of encoded held-out images: norms (left) and all entries (right).",
        alt=f"Left, a histogram of {len(norms)} norms with mean {norms.mean():.2f} under the chi "
        "density. Right, quantiles of the entries against those of the normal distribution.",
        columns=["image", "norm", "chi_cdf"],
        rows=[
            (i, float(norm), float(u))
            for i, (norm, u) in enumerate(zip(norms, statistics.chi_cdf(norms, d), strict=True))
        ],
    )
